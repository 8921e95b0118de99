#!/usr/bin/env bash
# test-one-file.sh: `make build`, `make test`, `make run UPSTREAM=aws` and `make deb` have the same module, byte by byte, and those that come
# after the first compile nothing.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/build.sh" module >&2
wanted=$(sha256sum <"$MODULE")

# same WHAT FILE COMMAND...: runs the command; the file is the module, and cargo had nothing to do.
same() {
    local what=$1 file=$2 log
    log=$(mktemp)
    shift 2
    "$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "$what failed"; }
    ! grep -E 'Compiling (ngx_http_bedrock_module|gateway)' "$log" >&2 || die "$what compiles the module anew"
    rm "$log"
    [ "$(sha256sum <"$file")" = "$wanted" ] || die "the module of $what is not that of make build"
    say "$what: the same module"
}

same "make test" "$MODULE" "$ROOT/scripts/build.sh" all
same "make run UPSTREAM=aws" "$MODULE" "$ROOT/scripts/build.sh" module
# What dh_strip and dpkg-deb get.
same "make deb" "$BUILD/deb/nginx-bedrock/ngx_http_bedrock_module.so" "$ROOT/scripts/build-deb.sh"
