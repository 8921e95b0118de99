#!/usr/bin/env bash
# test-nginx.sh [PROVE'S ARGUMENTS]: runs t/*.t against the built module, with one bedrock-sim for the whole run.
# USE_VALGRIND=1 runs nginx under valgrind; TEST_NGINX_* variables pass through.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/install.sh" test
"$ROOT/scripts/build.sh" all
perl_lib=$("$ROOT/scripts/fetch-test-nginx.sh")

# Nobody's own AWS settings take part.
for name in ${!AWS_*}; do unset "$name"; done
export AWS_EC2_METADATA_DISABLED=true

work=$(mktemp -d "$BUILD/t.XXXXXX")
SIM_PID=''
trap '[ -z "$SIM_PID" ] || kill "$SIM_PID" 2>/dev/null || true; rm -rf "$work"' EXIT
start_sim "$work/sim.port" "$work/sim.log" --strict

TEST_NGINX_BINARY=$(nginx_binary)
TEST_NGINX_PORT=${TEST_NGINX_PORT:-$(free_port)}
export TEST_NGINX_BINARY TEST_NGINX_PORT
export TEST_NGINX_SERVROOT=${TEST_NGINX_SERVROOT:-$work/servroot}
export TEST_NGINX_HTML_DIR=$TEST_NGINX_SERVROOT/html
export TEST_BEDROCK_MODULE=$BUILD/ngx_http_bedrock_module.so
export TEST_BEDROCK_SIM_PORT=$SIM_PORT
if [ -n "${USE_VALGRIND:-}" ]; then
    command -v valgrind >/dev/null || die "USE_VALGRIND: no valgrind found (apt-get install valgrind)"
    export TEST_NGINX_USE_VALGRIND=1
fi

cd "$ROOT"
[ $# -gt 0 ] || set -- -r t
prove ${perl_lib:+-I"$perl_lib"} -It/lib "$@"
