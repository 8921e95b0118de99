#!/usr/bin/env bash
# fetch-nginx.sh NAME: gets an nginx that is not this machine's, once, into build/nginx/NAME, and prints for `eval` what the
# other scripts need to build for it and to test with it.
#
#   bookworm | trixie | sid   Debian's nginx of that suite, with its Lua and echo modules: unpacked, not installed
#   1.28.0 | … | 1.28.3       nginx from source, the one in the crate nginx-src; Debian has no Lua module for it
#   DIRECTORY                 the source of any nginx, unpacked: nginx.org's, OpenResty's (with its bundle), Tengine's, freenginx's
#   1.28.3@musl, DIRECTORY@musl    and so on: that source, built for musl, Alpine's libc
set -euo pipefail
. "$(dirname "$0")/lib.sh"

name=${1:-}
musl=${name#"${name%@musl}"}
name=${name%@musl}
[[ $name != */* ]] || name=$(cd "$name" && pwd) || exit
home=$BUILD/nginx/${name##*/}$musl

# The packages run beside the system's with a loader and libraries of their own.
unpack_debian() {
    local root=$1 apt=$home/apt nginx=$1/usr/sbin/nginx loader triplet deb
    mkdir -p "$apt/download" "$root"
    apt_of "$apt" "$name" --download-only install nginx libnginx-mod-http-lua libnginx-mod-http-echo
    (cd "$apt/download" && apt_of "$apt" "$name" download nginx-dev)     # alone: it depends on half a gigabyte of tools
    for deb in "$apt"/archives/*.deb "$apt"/download/*.deb; do dpkg-deb -x "$deb" "$root"; done
    loader=$(find "$root" -path '*-linux-gnu/ld-linux*.so.*' -print -quit)
    [ -n "$loader" ] || { echo "no ld.so among the packages"; return 1; }
    triplet=$(basename "$(dirname "$loader")")
    # The signature is there for `fits`, which looks for it in the file that is called nginx.
    cat >"$home/sbin/nginx" <<EOF
#!/bin/sh
# $(signature_of "$nginx")
exec '$loader' --library-path '$root/lib/$triplet:$root/usr/lib/$triplet' '$nginx' "\$@"
EOF
    chmod +x "$home/sbin/nginx"
    rm -rf "$apt"
}

# The source in the crate nginx-src. cargo gets the crate, and compiles nothing of it.
crate_source() {
    mkdir -p "$home/crate"
    printf '[package]\nname = "source-of-nginx"\nedition = "2024"\n[lib]\npath = "lib.rs"\n[dependencies]\nnginx-src = "=%s"\n[workspace]\n' \
        "$1" >"$home/crate/Cargo.toml"
    : >"$home/crate/lib.rs"
    local manifest
    manifest=$(cargo metadata --quiet --format-version 1 --manifest-path "$home/crate/Cargo.toml" |
        perl -MJSON::PP -0777 -ne 'for (@{ decode_json($_)->{packages} }) { print $_->{manifest_path} if $_->{name} eq "nginx-src" }')
    echo "$(dirname "$manifest")/nginx"
}

build_source() {
    local module modules=() configure=./configure libc=() exports
    if [ -n "$musl" ]; then
        exports=$("$ROOT/scripts/fetch-musl.sh" nginx)
        eval "$exports"
    fi
    cp -r "$1" "$home/src"
    cd "$home/src"
    [ -x configure ] || configure=auto/configure
    # What t/ needs, and HTTP/3 where this version has it.
    for module in http_ssl http_v2 http_v3 http_realip http_auth_request http_slice http_stub_status; do
        ! grep -qe "--with-${module}_module)" auto/options || modules+=("--with-${module}_module")
    done
    "$configure" --prefix="$home" --modules-path="$home/modules" --builddir="$home/objs" --with-compat --with-debug --with-threads \
        "${modules[@]}" "${libc[@]}"
    make -j "$(nproc)" -f "$home/objs/Makefile" binary
    cp "$home/objs/nginx" "$home/sbin/nginx"
}

fetch() {
    mkdir -p "$home/sbin"
    case $name in
    1.28.*) build_source "$(crate_source "$crate")" ;;
    */*) build_source "$source" ;;
    *) unpack_debian "$home/root" ;;
    esac
    touch "$home/complete"
}

case $name in
bookworm | trixie | sid) [ -z "$musl" ] || die "Debian's nginx is made for glibc: name a version or a source with @musl" ;;
1.28.0) crate=1.28.1 ;;
1.28.1) crate=1.28.3 ;;
1.28.2) crate=1.28.4 ;;
1.28.3) crate=1.28.5 ;;
*/*) source=$(source_in "$name") || die "there is no nginx source in $name" ;;
*) die "usage: scripts/fetch-nginx.sh bookworm|trixie|sid|1.28.0|1.28.1|1.28.2|1.28.3|DIRECTORY, or one of the last five with @musl" ;;
esac
if [ ! -f "$home/complete" ]; then
    say "fetching nginx: $name"
    rm -rf "$home"
    mkdir -p "$home"
    # A process of its own: `set -e` does not hold in a function that `||` follows.
    (set -e; fetch) >"$home/log" 2>&1 &
    wait $! || { tail -n 20 "$home/log" >&2; die "could not get the nginx $name, see $home/log"; }
fi

printf 'export NGINX_BINARY=%q\n' "$home/sbin/nginx"
if [ -d "$home/src" ]; then
    printf 'export TEST_NGINX_WITHOUT="lua echo"\n'
    printf 'export NGINX_SOURCE_DIR=%q NGINX_BUILD_DIR=%q\n' "$home/src" "$home/objs"
else
    printf 'export TEST_NGINX_WITHOUT= NGINX_SOURCE_DIR=%q TEST_NGINX_ROOT=%q\n' "$home/root/usr/share/nginx/src" "$home/root"
fi
