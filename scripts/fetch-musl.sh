#!/usr/bin/env bash
# fetch-musl.sh [nginx]: gets what builds for musl, the libc of Alpine, with packages of Debian alone, once, into build/musl. Prints for
# `eval` how cargo builds the module; with "nginx", how nginx's ./configure finds its libraries.
#
# Debian has no Rust whose standard library is compiled for musl. But rustc-web comes with the source of its own, and cargo compiles that
# with the module (-Z build-std).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

home=$BUILD/musl
machine=$(uname -m)
target=$machine-unknown-linux-musl
rust=$home/rust/usr

"$ROOT/scripts/install.sh" musl

# unpacked DIR PACKAGE...: each at the version that this machine would install.
unpacked() {
    local dir=$1 debs=$home/debs
    shift
    mkdir -p "$dir" "$debs"
    (cd "$debs" && apt-get download -qq "$@")
    for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$dir"; done
    rm -rf "$debs"
}

# rustc-web does not go together with rustup on one system, so it is not installed.
get_rust() {
    local needed
    needed=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances rustc-web |
        grep -E '^(rustc-web|libstd-rust-web.*|libllvm[0-9]+)$' | sort -u)
    [ -n "$needed" ] || { echo "there is no package rustc-web: Debian 12 has it"; return 1; }
    # shellcheck disable=SC2086  # one word for each package
    unpacked "$home/rust" rust-web-src $needed
    find "$rust"/src/rustc-*/ -mindepth 1 -maxdepth 1 ! -name library -exec rm -rf {} +
    mkdir -p "$rust/lib/rustlib/src"
    ln -s "$rust"/src/rustc-*/ "$rust/lib/rustlib/src/rust"
    # Its libraries are beside it.
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$rust/lib/$machine-linux-gnu" "$rust/bin/rustc" >"$home/rustc"
    chmod +x "$home/rustc"
}

# Rust's panics need an unwinder, and asks for that of gcc. Debian's is made for glibc, and an Alpine need not have one. LLVM's needs nothing
# of glibc but this function, for its messages, and goes into the module.
get_unwinder() {
    unpacked "$home/unwinder" libunwind-14-dev
    find "$home/unwinder" -name libunwind.a -exec cp {} "$home/lib" \;
    cat >"$home/fprintf.c" <<'EOF'
#include <stdarg.h>
#include <stdio.h>
int __fprintf_chk(FILE *to, int flag, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int written = vfprintf(to, format, values);
    va_end(values);
    return written;
}
EOF
    (cd "$home" && musl-gcc -O2 -fPIC -c fprintf.c && ar r lib/libunwind.a fprintf.o)
    echo 'INPUT(-l:libunwind.a)' >"$home/lib/libgcc_s.so"
}

# The kernel's headers are of no libc.
get_headers() {
    local name
    for name in linux asm-generic; do ln -s "/usr/include/$name" "$home/include/$name"; done
    ln -s "/usr/include/$machine-linux-gnu/asm" "$home/include/asm"
}

# What nginx is linked with, from Debian's sources.
get_libraries() {
    local sources=$home/sources
    sources_of "$sources" "$(. /etc/os-release && echo "$VERSION_CODENAME")" pcre2 zlib openssl
    unset CPATH LIBRARY_PATH
    export CC="musl-gcc -isystem $home/include" MAKEFLAGS="-j $(nproc)"
    (cd "$sources"/pcre2-*/ && ./configure --prefix="$home" --disable-shared --enable-jit && make install)
    (cd "$sources"/zlib-*/ && ./configure --static --prefix="$home" && make install)
    (cd "$sources"/openssl-*/ && ./config --prefix="$home" --libdir=lib no-shared no-tests no-async && make build_libs && make install_dev)
    rm -rf "$sources"
}

# once NAME COMMAND: the command, unless it was successful before.
once() {
    [ ! -f "$home/$1.complete" ] || return 0
    say "for musl: $1"
    mkdir -p "$home/lib" "$home/include"
    # A process of its own: `set -e` does not hold in a function that `||` follows.
    (set -e; "$2") >"$home/$1.log" 2>&1 &
    wait $! || { tail -n 20 "$home/$1.log" >&2; die "could not get $1 for musl, see $home/$1.log"; }
    touch "$home/$1.complete"
}

once headers get_headers
if [ "${1:-}" = nginx ]; then
    once libraries get_libraries
    printf 'unset CPATH LIBRARY_PATH\n'
    printf 'libc=(--with-cc=musl-gcc --with-cc-opt=%q --with-ld-opt=%q)\n' "-isystem $home/include" "-L$home/lib"
    exit
fi
once rust get_rust
once unwinder get_unwinder
printf 'unset CPATH LIBRARY_PATH\n'
of_target=${target//-/_}
printf 'export %s=%q\n' \
    RUSTC "$home/rustc" RUSTC_BOOTSTRAP 1 CARGO_UNSTABLE_BUILD_STD std,panic_unwind CARGO_BUILD_TARGET "$target" \
    "CARGO_TARGET_${of_target^^}_LINKER" musl-gcc "CARGO_TARGET_${of_target^^}_RUSTFLAGS" "-Ctarget-feature=-crt-static -Lnative=$home/lib" \
    "CC_$of_target" musl-gcc "CFLAGS_$of_target" "-isystem $home/include" \
    "BINDGEN_EXTRA_CLANG_ARGS_$of_target" "-nostdinc -isystem /usr/include/$machine-linux-musl -isystem $home/include"
