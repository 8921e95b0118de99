#!/usr/bin/env bash
# nginx-source.sh: finds, or makes, the configured nginx source tree that the module is built on, and prints two lines for
# `eval`: NGINX_SOURCE_DIR and NGINX_BUILD_DIR.
#
#   nothing set             Debian's and Ubuntu's nginx-dev, configured as the distribution does
#   NGINX_SOURCE_DIR        another source: an unpacked nginx-dev, or one that is configured here as NGINX_BINARY was (nginx -V)
#   NGINX_SOURCE_DIR and NGINX_BUILD_DIR     a source that is configured already
set -euo pipefail
. "$(dirname "$0")/lib.sh"

nginx=$(nginx_binary)
[[ $(nginx_name "$nginx") != Angie/* ]] || die "Angie is not supported: its modules have another interface than nginx's"
# Debian's nginx-dev is installed, or unpacked.
wanted=${NGINX_SOURCE_DIR:-/usr/share/nginx/src}
[ -n "${NGINX_SOURCE_DIR:-}" ] || [ -d "$wanted" ] || wanted=$HEADERS$wanted
source_dir=$(source_in "$wanted") || die "there is no nginx source in $wanted.
       $nginx is $(nginx_name "$nginx"): unpack its source, and set NGINX_SOURCE_DIR to that directory
       (for Debian's and Ubuntu's own nginx: install nginx-dev). docs/building.md says where each nginx has its source."

# How the nginx was configured, without what has no part in a module: paths, and modules, which may need libraries of their own.
options_of() {
    local option
    eval "set -- $("$1" -V 2>&1 | sed -n 's/^configure arguments: //p')"
    for option; do
        case $option in
        --add-*module=* | --builddir=* | --*-path=* | --with-openssl=* | --with-pcre=* | --with-zlib=* | --with-ld-opt=*) ;;
        --with-http_perl_module* | --with-http_xslt_module* | --with-http_image_filter_module* | --with-*geoip*) ;;
        --with-google_perftools_module | --with-libatomic* | --with-mail* | --with-stream*) ;;
        *) printf '%q ' "$option" ;;
        esac
    done
}

# configure DIR: as the nginx was, into the directory. nginx's configure reads all else from the current one.
configure() {
    cd "$source_dir"
    if [ -f conf_flags ]; then
        . ./conf_flags
        set -- "$1" --with-cc-opt='-g -O2 -fPIC' --with-ld-opt=-fPIC "${NGX_CONF_FLAGS[@]}"
    else
        local options
        options=$(options_of "$nginx")
        eval "set -- \"\$1\" $options"
    fi
    local build_dir=$1 configure=./configure
    shift
    [ -x configure ] || configure=auto/configure
    "$configure" "$@" --builddir="$build_dir"
}

if [ -n "${NGINX_SOURCE_DIR:-}" ] && [ -n "${NGINX_BUILD_DIR:-}" ]; then
    # A relative build directory is seen from the source directory, as by nginx's own --builddir.
    build_dir=$(cd "$source_dir" && cd "$NGINX_BUILD_DIR" && pwd) || die "NGINX_BUILD_DIR: no directory $NGINX_BUILD_DIR"
else
    # Another source, or an nginx with other options, has another directory.
    build_dir=$BUILD/nginx-$({ echo "$source_dir"; "$nginx" -V 2>&1; } | cksum | cut -d ' ' -f 1)
    if [ ! -f "$build_dir/configured" ] || [ "$source_dir/src/core/nginx.h" -nt "$build_dir/configured" ]; then
        say "configuring $source_dir as $(nginx_name "$nginx") was, in $build_dir"
        rm -rf "$build_dir"
        mkdir -p "$build_dir"
        (configure "$build_dir") >"$build_dir/configure.log" 2>&1 ||
            { tail -n 20 "$build_dir/configure.log" >&2; die "nginx's configure failed: see $build_dir/configure.log"; }
        touch "$build_dir/configured"
    fi
fi
[ -f "$build_dir/ngx_auto_config.h" ] || die "$build_dir is not a configured nginx build directory: it has no ngx_auto_config.h"

# What nginx, or the module, would say at load time, said before a minute of building. The build's own makefile knows how its headers are
# read.
# shellcheck disable=SC2016  # make's variables
expanded=$(cd "$source_dir" && {
    printf 'include %s/Makefile\n' "$build_dir"
    printf 'names:\n\t@printf "#include <ngx_config.h>\\n#include <ngx_core.h>\\nname NGINX_VER\\nsignature NGX_MODULE_SIGNATURE\\n" |'
    printf ' $(CC) -E -P -w $(CFLAGS) $(ALL_INCS) -x c -\n'
} | make -s -f - names) || die "the headers of $source_dir and $build_dir do not compile"
part() { sed -n "s/^$1 //p" <<<"$expanded" | sed 's/" *"//g; s/"//g'; }
is_named "$nginx" "$(part name)" ||
    die "$nginx is $(nginx_name "$nginx"), and the source in $source_dir is $(part name):
       a module must be built from the source of the very nginx that loads it. Set NGINX_SOURCE_DIR to that source."
signature=$(signature_of "$nginx")
[ -z "$signature" ] || [ "$signature" = "$(part signature)" ] ||
    die "a module built with $build_dir would not load into $nginx: their signatures differ
       ($(part signature) and $signature). Configure the source with that nginx's options (nginx -V)."

printf 'export NGINX_SOURCE_DIR=%q\nexport NGINX_BUILD_DIR=%q\n' "$source_dir" "$build_dir"
[ -z "${CPATH:-}" ] || printf 'export CPATH=%q LIBRARY_PATH=%q\n' "$CPATH" "${LIBRARY_PATH:-}"
