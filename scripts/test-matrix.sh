#!/usr/bin/env bash
# test-matrix.sh [NAME...]: for every nginx of the list (see fetch-nginx.sh) the module is built and t/ is run. One line each says
# what came of it; any failure, also to get an nginx, is a failure of the whole.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

[ $# -gt 0 ] || set -- bookworm trixie 1.28.3 sid 1.28.3@musl
"$ROOT/scripts/install.sh" test

# What is printed last is the reason of a failure, or the result.
try() {
    local name=$1 home=$BUILD/nginx/${1##*/} exports
    exports=$("$ROOT/scripts/fetch-nginx.sh" "$name") || { echo "could not be fetched or built"; return 1; }
    eval "$exports"
    printf 'named %s\n' "$(nginx_name "$NGINX_BINARY")"
    export BEDROCK_MODULE=$home/ngx_http_bedrock_module.so
    "$ROOT/scripts/test-nginx.sh" || { echo "t/ failed"; return 1; }
    [ -z "$TEST_NGINX_WITHOUT" ] || echo "blocks skipped, no such module for this nginx: $TEST_NGINX_WITHOUT"
}

bad=0
results=()
for name; do
    name=${name%/}
    say "nginx of $name"
    log=$BUILD/nginx/${name##*/}.log
    mkdir -p "$BUILD/nginx"
    verdict=ok
    (try "$name") >"$log" 2>&1 || verdict=FAILED bad=1
    version=$(sed -n 's/^named //p' "$log")
    detail=$(grep -E '^Files=|^blocks skipped' "$log" | cut -d , -f 1-2 | paste -sd ';') || true
    if [ $verdict = FAILED ]; then
        tail -n 40 "$log" >&2
        detail="$(tail -n 1 "$log"), see $log"
    elif ! grep -qF "\"$version\"" build.rs; then
        detail+='; not yet among the TESTED versions of build.rs'
    fi
    results+=("$(printf '%-6s  %-8s  %-12s  %s' $verdict "${name##*/}" "${version:--}" "$detail")")
    say "${results[-1]}"
done
printf '%s\n' "${results[@]}"
exit $bad
