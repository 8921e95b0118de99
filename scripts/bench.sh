#!/usr/bin/env bash
# bench.sh [PART...]: the benchmarks of the crates, and what the module costs in nginx (benches/run.py); with parts of the
# latter named (cpu, first-byte, memory, paced, bodies, stall, hostile, growth, limits), only those.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

"$ROOT/scripts/build.sh" all
cargo build --release ${CI:+--locked} -p bedrock-load -p loop-turns >&2
[ $# -gt 0 ] || cargo bench -p eventstream -p gateway
NGINX_BINARY=$(nginx_binary)
export NGINX_BINARY
out=${CARGO_TARGET_DIR:-$ROOT/target}/release
export BEDROCK_MODULE=$MODULE BEDROCK_SIM=$CARGO_OUT/bedrock-sim BEDROCK_LOAD=$out/bedrock-load LOOP_TURNS_LIBRARY=$out/libloop_turns.so
exec python3 benches/run.py "$@"
