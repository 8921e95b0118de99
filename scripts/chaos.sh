#!/usr/bin/env bash
# chaos.sh [--seed N] [--long] [SCENARIO...]: faults against a live nginx with two workers, see t/chaos/run.py. As root, for a file
# system of its own. Ten thousand streams want `ulimit -n 19300`; with less there are as many as that allows.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/install.sh" test
"$ROOT/scripts/build.sh" all
exports=$("$ROOT/scripts/nginx-source.sh")
eval "$exports"
python=$("$ROOT/scripts/venv.sh")
(cd "$ROOT" && cargo build -p ngx_http_bedrock_module --features forced-panics,forced-deaths ${CI:+--locked})
# The next build would replace it.
faulty=$BUILD/ngx_http_bedrock_module.faulty.so
install -m 644 "${CARGO_TARGET_DIR:-$ROOT/target}/debug/libngx_http_bedrock_module.so" "$faulty"

for name in ${!AWS_*}; do unset "$name"; done
TEST_NGINX_BINARY=$(nginx_binary)
export TEST_NGINX_BINARY TEST_BEDROCK_SIM=${CARGO_TARGET_DIR:-$ROOT/target}/release/bedrock-sim
export TEST_BEDROCK_FAULTY_MODULE=$faulty
export TEST_BEDROCK_MODULE=${TEST_BEDROCK_MODULE:-$BUILD/ngx_http_bedrock_module.so}
ulimit -n 19300 2>/dev/null || ulimit -n "$(ulimit -Hn)"
exec "$python" "$ROOT/t/chaos/run.py" "$@"
