#!/usr/bin/env bash
# build.sh module|sim|all: the module as build/ngx_http_bedrock_module.so ($BEDROCK_MODULE), and the stand-in for Bedrock.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

what=${1:-module}

"$ROOT/scripts/install.sh" build
exports=$("$ROOT/scripts/nginx-source.sh")
eval "$exports"

cd "$ROOT"
build() { cargo build --profile "$PROFILE" ${CI:+--locked} "$@" >&2; }
nginx=$(nginx_binary)
built=$CARGO_OUT/libngx_http_bedrock_module.so
build_module() {
    if ! on_musl "$nginx" || rustc -vV | grep -q '^host: .*-musl$'; then build -p ngx_http_bedrock_module; return; fi
    exports=$("$ROOT/scripts/fetch-musl.sh")
    (eval "$exports" && build -p ngx_http_bedrock_module)
    built=${CARGO_OUT%/*}/$(uname -m)-unknown-linux-musl/${CARGO_OUT##*/}/${built##*/}
}
if [ "$PROFILE-$what" = demo-all ]; then
    # For `make run`: AWS's credential providers are most of what there is to compile, and one build of both is faster.
    build --no-default-features -p ngx_http_bedrock_module -p bedrock-sim
else
    # Each by itself: cargo would give a crate that both use the features of both, and the module of `make test` would not be the one
    # of `make deb`.
    [ "$what" = sim ] || build_module
    [ "$what" = module ] || build -p bedrock-sim
fi

if [ "$what" != sim ]; then
    fits "$built" "$nginx" ||
        die "the module's signature is not that of $nginx, which would refuse to load it"
    mkdir -p "$(dirname "$MODULE")"
    # `install` makes a new file: to write over the old one would crash an nginx that runs with it.
    cmp -s "$built" "$MODULE" || install -m 644 "$built" "$MODULE"
    [ "$what" = all ] || printf '%s (nginx %s)\n' "$MODULE" "$(nginx_version "$nginx")"
fi
