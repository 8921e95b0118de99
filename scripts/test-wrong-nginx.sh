#!/usr/bin/env bash
# test-wrong-nginx.sh: the module refuses at `nginx -t` an nginx that it was not built for, and `make build` refuses a source that is not
# the nginx's. A fork that keeps nginx's number and signature is not at hand, so the module is the one that is changed: its name for
# the nginx, and structs with one member more.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/install.sh" build
nginx=$(nginx_binary)
exports=$("$ROOT/scripts/nginx-source.sh")
eval "$exports"
name=$(nginx_name "$nginx")
name=${name%% *}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# built TARGET [SOURCE]: the module, from that source.
built() {
    (cd "$ROOT" && NGINX_SOURCE_DIR=${2:-$NGINX_SOURCE_DIR} cargo build ${CI:+--locked} -p ngx_http_bedrock_module) >&2
    cp "${CARGO_TARGET_DIR:-$ROOT/target}/debug/libngx_http_bedrock_module.so" "$1"
}

# nginx_test MODULE: what nginx -t says.
nginx_test() {
    printf 'load_module %s;\npid %s/pid;\nevents {}\nhttp { access_log off; server { listen 127.0.0.1:1; } }\n' "$1" "$work" >"$work/nginx.conf"
    "$nginx" -t -c "$work/nginx.conf" -e stderr 2>&1
}

# refused WHAT MODULE TEXT: nginx -t fails, and says so.
refused() {
    local said
    if said=$(nginx_test "$2"); then die "$1: nginx -t is successful"; fi
    [[ $said == *"[emerg]"*"$3"* ]] || die "$1: nginx -t does not say \"$3\", but: $said"
    say "$1: refused"
}

# shifted STRUCT: a copy of the source where the struct has a member more, at its beginning.
shifted() {
    cp -rL "$NGINX_SOURCE_DIR" "$work/$1"
    sed -i "s/^struct $1 {/&\n    void *one_more;/" "$work/$1"/src/http/*.h
    grep -q one_more "$work/$1"/src/http/*.h || die "there is no struct $1 in $NGINX_SOURCE_DIR"
}

built "$work/right.so"
said=$(nginx_test "$work/right.so") || die "nginx -t fails with the module that was built for it: $said"

other=${name%?}X
sed "s,$name,$other,g" "$work/right.so" >"$work/named.so"
refused "another name" "$work/named.so" "was built for $other, but this is $name"

for struct in ngx_http_request_s ngx_http_upstream_s; do
    shifted $struct
    built "$work/$struct.so" "$work/$struct"
    refused "another $struct" "$work/$struct.so" "its ${struct%_s}_t is different"
done
built "$work/right.so"

cp -rL "$NGINX_SOURCE_DIR" "$work/other"
sed -i 's,^#define NGINX_VER  *"[^/]*/",#define NGINX_VER "othernginx/",' "$work/other/src/core/nginx.h"
if said=$(NGINX_SOURCE_DIR=$work/other "$ROOT/scripts/nginx-source.sh" 2>&1); then die "another nginx's source is taken"; fi
[[ $said == *"is $name"*"is othernginx/${name#*/}"* ]] || die "another nginx's source is refused with: $said"
say "another nginx's source: refused"
