#!/usr/bin/env bash
# fetch-test-nginx.sh: prints the directory that holds Test::Nginx, fetched first if need be. Debian 12 has every package
# that it depends on, but not itself (libtest-nginx-perl came later): it is downloaded from the mirror that this machine
# uses, from a newer suite, and unpacked in build/, so that nothing of that suite gets onto the system.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

perl -MTest::Nginx::Socket -e 1 2>/dev/null && exit 0     # the system has it, nothing to add

home=$BUILD/test-nginx
lib=$home/usr/share/perl5
if [ ! -f "$lib/Test/Nginx/Socket.pm" ]; then
    say "fetching Test::Nginx"
    for suite in forky sid; do
        apt=$home/apt-$suite
        mkdir -p "$apt"
        if (cd "$apt" && apt_of "$apt" "$suite" download libtest-nginx-perl) >"$home/log" 2>&1; then
            dpkg-deb -x "$apt"/libtest-nginx-perl_*.deb "$home"
            break
        fi
    done
    [ -f "$lib/Test/Nginx/Socket.pm" ] || { cat "$home/log" >&2; die "could not fetch libtest-nginx-perl"; }
    rm -rf "$home"/apt-*
fi
printf '%s\n' "$lib"
