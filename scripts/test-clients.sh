#!/usr/bin/env bash
# test-clients.sh [PYTEST'S ARGUMENTS]: real SDKs against a real, multi-process nginx with the built module.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/install.sh" test
"$ROOT/scripts/build.sh" all
# TEST_VENV names other packages than those of every run.
python=$("$ROOT/scripts/venv.sh" ${TEST_VENV:+"$TEST_VENV"})
TEST_NODE_MODULES=$("$ROOT/scripts/node-modules.sh")
TEST_FAKETIME=$("$ROOT/scripts/faketime.sh")
TEST_PROMETHEUS=$("$ROOT/scripts/prometheus.sh")
export TEST_NODE_MODULES TEST_FAKETIME TEST_PROMETHEUS

# Nobody's own AWS settings, proxies or SDK keys take part.
for name in ${!AWS_*} ${!ANTHROPIC_*} ${!OPENAI_*} HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy; do
    unset "$name"
done
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null

TEST_NGINX_BINARY=$(nginx_binary)
export TEST_NGINX_BINARY
export TEST_BEDROCK_MODULE=$MODULE
export TEST_BEDROCK_SIM=$CARGO_OUT/bedrock-sim

cd "$ROOT/t/clients"
exec "$python" -m pytest -p no:cacheprovider "$@"
