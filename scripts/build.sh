#!/usr/bin/env bash
# build.sh module|sim|all: the module as build/ngx_http_bedrock_module.so ($BEDROCK_MODULE), and the stand-in for Bedrock.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

what=${1:-module}

"$ROOT/scripts/install.sh" build
exports=$("$ROOT/scripts/nginx-source.sh")
eval "$exports"

packages=()
# For `make run`: AWS's credential providers are most of what there is to compile.
[ "$PROFILE" != demo ] || packages+=(--no-default-features)
[ "$what" = sim ] || packages+=(-p ngx_http_bedrock_module)
[ "$what" = module ] || packages+=(-p bedrock-sim)
cd "$ROOT"
cargo build --profile "$PROFILE" ${CI:+--locked} "${packages[@]}" >&2

if [ "$what" != sim ]; then
    nginx=$(nginx_binary)
    built=$CARGO_OUT/libngx_http_bedrock_module.so
    fits "$built" "$nginx" ||
        die "the module's signature is not that of $nginx, which would refuse to load it"
    mkdir -p "$(dirname "$MODULE")"
    # `install` makes a new file: to write over the old one would crash an nginx that runs with it.
    cmp -s "$built" "$MODULE" || install -m 644 "$built" "$MODULE"
    [ "$what" = all ] || printf '%s (nginx %s)\n' "$MODULE" "$(nginx_version "$nginx")"
fi
