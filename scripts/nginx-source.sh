#!/usr/bin/env bash
# nginx-source.sh: finds, or makes, the configured nginx source tree that the module is built on, and prints two lines for
# `eval`: NGINX_SOURCE_DIR and NGINX_BUILD_DIR. Set both yourself to build for an nginx of your own. NGINX_SOURCE_DIR alone is
# the tree of another nginx-dev, to be configured.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

nginx=$(nginx_binary)

if [ -n "${NGINX_SOURCE_DIR:-}" ] && [ -n "${NGINX_BUILD_DIR:-}" ]; then
    source_dir=$NGINX_SOURCE_DIR
    # A relative build directory is seen from the source directory, as by nginx's own --builddir.
    build_dir=$(cd "$source_dir" && cd "$NGINX_BUILD_DIR" && pwd) || die "NGINX_BUILD_DIR: no directory $NGINX_BUILD_DIR"
else
    # Debian's nginx-dev, installed or unpacked: headers, not configured.
    source_dir=${NGINX_SOURCE_DIR:-/usr/share/nginx/src}
    [ -d "$source_dir" ] || source_dir=$HEADERS/usr/share/nginx/src
    [ -f "$source_dir/src/core/nginx.h" ] || die "no nginx source in $source_dir: install nginx-dev, or set NGINX_SOURCE_DIR and NGINX_BUILD_DIR"
    version=$(sed -n 's/^#define NGINX_VERSION *"\(.*\)"/\1/p' "$source_dir/src/core/nginx.h")
    build_dir=$BUILD/nginx-$version
    [ "$version" = "$(nginx_version "$nginx")" ] ||
        die "$nginx is version $(nginx_version "$nginx"), the source in $source_dir is $version: a module must be built from
       the source of the very nginx that loads it. Set NGINX_SOURCE_DIR and NGINX_BUILD_DIR to a configured source tree."
    if [ ! -f "$build_dir/configured" ] || [ "$source_dir/conf_flags" -nt "$build_dir/configured" ]; then
        say "configuring nginx $version in $build_dir"
        # nginx's configure writes into --builddir only; it reads the rest from the current directory.
        mkdir -p "$build_dir"
        (
            cd "$source_dir"
            . ./conf_flags
            ./configure --with-cc-opt='-g -O2 -fPIC' --with-ld-opt=-fPIC "${NGX_CONF_FLAGS[@]}" --builddir="$build_dir"
        ) >"$build_dir/configure.log" 2>&1 || { tail -n 20 "$build_dir/configure.log" >&2; die "nginx's configure failed"; }
        touch "$build_dir/configured"
    fi
fi
[ -f "$build_dir/ngx_auto_config.h" ] || die "$build_dir is not a configured nginx build directory: it has no ngx_auto_config.h"

# What nginx will say at load time ("is not binary compatible"), said before a minute of building.
include=()
for dir in core event event/modules event/quic os/unix; do include+=(-I "$source_dir/src/$dir"); done
object=$(mktemp)
trap 'rm -f "$object"' EXIT
printf '#include <ngx_config.h>\n#include <ngx_core.h>\nconst char *signature = NGX_MODULE_SIGNATURE;\n' |
    "${CC:-cc}" -x c -c -w "${include[@]}" -I "$build_dir" -o "$object" - ||
    die "the headers in $source_dir and $build_dir do not compile"
fits "$object" "$nginx" ||
    die "a module built with $build_dir would not load into $nginx: their signatures differ
       ($(signature_of "$object") and $(signature_of "$nginx")). Configure the source with that nginx's options (nginx -V)."

printf 'export NGINX_SOURCE_DIR=%q\nexport NGINX_BUILD_DIR=%q\n' "$source_dir" "$build_dir"
[ -z "${CPATH:-}" ] || printf 'export CPATH=%q LIBRARY_PATH=%q\n' "$CPATH" "${LIBRARY_PATH:-}"
