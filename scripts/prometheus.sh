#!/usr/bin/env bash
# prometheus.sh: prints the directory that has prometheus and promtool, Debian's own, unpacked and not installed: as an installed package
# it would start a server. Fetched if need be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

home=$BUILD/prometheus
if [ ! -x "$home/usr/bin/promtool" ]; then
    say "Prometheus"
    rm -rf "$home" "$home.new"
    mkdir -p "$home.new"
    (cd "$home.new" && apt-get download -qq prometheus) >"$home.new/log" 2>&1 ||
        { cat "$home.new/log" >&2; die "apt-get could not download prometheus: run apt-get update, then this again"; }
    dpkg-deb -x "$home.new"/prometheus_*.deb "$home.new"
    rm "$home.new"/prometheus_*.deb
    mv "$home.new" "$home"
fi
printf '%s\n' "$home/usr/bin"
