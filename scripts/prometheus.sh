#!/usr/bin/env bash
# prometheus.sh: prints the directory that has prometheus and promtool, Debian's own; fetched if need be. Unpacked and not installed: the
# package starts a server.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

home=$BUILD/prometheus
if [ ! -d "$home" ]; then
    say "Prometheus"
    work=$home.new
    rm -rf "$work"
    mkdir -p "$work/apt" "$work/root"
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    (cd "$work" && apt_of "$work/apt" "$suite" download prometheus) >"$work/log" 2>&1 ||
        { tail -n 20 "$work/log" >&2; die "could not get Prometheus, see $work/log"; }
    dpkg-deb -x "$work"/prometheus_*.deb "$work/root"
    mv "$work/root" "$home"
    rm -rf "$work"
fi
printf '%s\n' "$home/usr/bin"
