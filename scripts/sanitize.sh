#!/usr/bin/env bash
# sanitize.sh [PROVE'S ARGUMENTS]: t/*.t with AddressSanitizer and LeakSanitizer in nginx and in the module, on stable Rust.
# What they report fails the run; scripts/nginx.lsan lists what is nginx's own.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/install.sh" test
nginx=$("$ROOT/scripts/asan-nginx.sh")
exports=$("$ROOT/scripts/nginx-source.sh")
eval "$exports"
triple=$(rustc -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-$ROOT/target}/sanitize
# With a target named, build scripts and procedural macros are left as they are.
(
    cd "$ROOT"
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address \
        cargo build --target "$triple" --target-dir "$target" -p ngx_http_bedrock_module ${CI:+--locked} >&2
)

# The runtime is the one that nginx is linked with; the module's symbols are found there.
export TEST_BEDROCK_MODULE=$target/$triple/debug/libngx_http_bedrock_module.so
export TEST_REPORTS=$BUILD/reports
# A status of its own would be an nginx that cannot start, for Test::Nginx. The reports count.
export ASAN_OPTIONS=exitcode=0,detect_leaks=1,detect_stack_use_after_return=1,check_initialization_order=1,log_path=$TEST_REPORTS/asan
export LSAN_OPTIONS=suppressions=$ROOT/scripts/nginx.lsan,print_suppressions=0
NGINX_BINARY=$nginx exec "$ROOT/scripts/test-nginx.sh" "$@"
