#!/usr/bin/env bash
# test-config.sh: `config` in nginx's own build from source: the module as a file of its own, then in nginx itself. t/ runs with
# both.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/install.sh" test
exports=$("$ROOT/scripts/fetch-nginx.sh" 1.28.3)
eval "$exports"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target} BEDROCK_PROFILE=$PROFILE

# configure NAME OPTION...: for build/config/NAME.
configure() {
    local home=$BUILD/config/$1
    shift
    mkdir -p "$home"
    cd "$NGINX_SOURCE_DIR"
    auto/configure --prefix="$home" --builddir="$home/objs" --with-debug --with-http_ssl_module --with-http_v2_module \
        --with-http_realip_module --with-http_auth_request_module --with-http_slice_module --with-http_stub_status_module "$@"
}

# refused TEXT OPTION...: configure fails, and says so.
refused() {
    local wanted=$1 said
    shift
    if said=$(configure refused "$@" 2>&1); then die "configure $* did not fail"; fi
    [[ $said == *"ngx_http_bedrock_module $wanted"* ]] || die "configure $* does not say \"$wanted\", but: $said"
}

# tested NAME MODULE OPTION...: builds nginx with the option and runs t/ in it. The MODULE "none" is the one in nginx itself.
tested() {
    local name=$1 module=$2 objs=$BUILD/config/$1/objs log=$BUILD/config/$1.log
    shift 2
    say "nginx $(nginx_version "$NGINX_BINARY"), ./configure $*"
    (configure "$name" "$@" && make -j "$(nproc)" -f "$objs/Makefile" build) >"$log" 2>&1 ||
        { tail -n 30 "$log" >&2; die "it could not be built, see $log"; }
    NGINX_BINARY=$objs/nginx NGINX_BUILD_DIR=$objs TEST_BEDROCK_MODULE=$module "$ROOT/scripts/test-nginx.sh" || die "t/ failed"
}

refused 'needs threads' --add-dynamic-module="$ROOT"
refused 'works with proxy_pass' --with-threads --without-http_proxy_module --add-module="$ROOT"
tested file "$BUILD/config/file/objs/ngx_http_bedrock_module.so" --with-threads --add-dynamic-module="$ROOT"
tested static none --with-threads --add-module="$ROOT"
