#!/usr/bin/env bash
# test-nginx.sh [PROVE'S ARGUMENTS]: runs t/*.t against the built module, with one bedrock-sim for the whole run.
# USE_VALGRIND=1 runs nginx under valgrind, whose reports fail the run; TEST_NGINX_* variables pass through, and so does
# TEST_BEDROCK_MODULE, a module that is there already.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/install.sh" test
# TEST_BEDROCK_MODULE is one that was built elsewhere, "none" where nginx itself has it.
if [ -n "${TEST_BEDROCK_MODULE:-}" ]; then "$ROOT/scripts/build.sh" sim; else "$ROOT/scripts/build.sh" all; fi
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
export TEST_BEDROCK_MODULE=${TEST_BEDROCK_MODULE:-$MODULE}
export TEST_BEDROCK_SIM_PORT=$SIM_PORT
if [ -n "${USE_VALGRIND:-}" ]; then
    command -v valgrind >/dev/null || die "USE_VALGRIND: no valgrind found (apt-get install valgrind)"
    export TEST_NGINX_USE_VALGRIND=1 TEST_REPORTS=$BUILD/reports
    # The first requests wait for all of the code to be translated.
    export TEST_NGINX_TIMEOUT=${TEST_NGINX_TIMEOUT:-60}
    # Test::Nginx waits until nginx listens, its curl for HTTP/2 does not.
    printf 'retry = 60\nretry-delay = 1\nretry-connrefused\n' >"$work/.curlrc"
    export CURL_HOME=$work
    export VALGRIND_OPTS="--log-file=$TEST_REPORTS/valgrind.%p --suppressions=$ROOT/scripts/nginx.valgrind"
fi
# Where valgrind, or a sanitizer in nginx, writes what it finds.
reports=${TEST_REPORTS:-}
if [ -n "$reports" ]; then rm -rf "$reports"; mkdir -p "$reports"; fi

cd "$ROOT"
[ $# -gt 0 ] || set -- -r t
status=0
prove ${perl_lib:+-I"$perl_lib"} -It/lib "$@" || status=$?
# (Lines that begin with -- are about valgrind itself: a system call that it does not know.)
if [ -n "$reports" ] && found=$(grep -rl '^==' "$reports") && [ -n "$found" ]; then
    # shellcheck disable=SC2086  # one word for each file
    head -n 60 $found >&2
    die "$(wc -l <<<"$found") reports in $reports"
fi
exit "$status"
