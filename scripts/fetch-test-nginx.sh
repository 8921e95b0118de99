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
    # shellcheck disable=SC2016  # apt's own names
    site=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' | awk '$2 !~ /-/ { print $1; exit }')
    [ -n "$site" ] || die "apt knows no Debian mirror: run apt-get update, then this again"
    apt=$home/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    options=(-q -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=
        -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
    for suite in forky sid; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $suite main" >"$apt/sources.list"
        if apt-get "${options[@]}" update >"$apt/log" 2>&1 &&
            (cd "$apt" && apt-get "${options[@]}" download libtest-nginx-perl >>log 2>&1); then
            dpkg-deb -x "$apt"/libtest-nginx-perl_*.deb "$home"
            break
        fi
    done
    [ -f "$lib/Test/Nginx/Socket.pm" ] || { cat "$apt/log" >&2; die "could not fetch libtest-nginx-perl"; }
    rm -rf "$apt"
fi
printf '%s\n' "$lib"
