#!/usr/bin/env bash
# faketime.sh: prints the library of Debian's libfaketime, with which a program takes the time from a file; unpacked in build/faketime.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

dir=$BUILD/faketime
library() { find "$dir" -name libfaketime.so.1 -print -quit; }

mkdir -p "$dir"
if [ -z "$(library)" ]; then
    say "unpacking libfaketime in $dir"
    (cd "$dir" && apt-get download -qq libfaketime) >"$dir/log" 2>&1 || { cat "$dir/log" >&2; die "apt-get could not download libfaketime: run apt-get update"; }
    dpkg-deb -x "$dir"/libfaketime_*.deb "$dir"
fi
library
