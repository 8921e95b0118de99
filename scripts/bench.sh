#!/usr/bin/env bash
# bench.sh [CARGO BENCH'S ARGUMENTS]: the benchmarks of the crates, then those of the module in nginx (benches/*.sh).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

cargo bench -p eventstream -p gateway "$@"
shopt -s nullglob
for bench in benches/*.sh; do
    "$ROOT/scripts/build.sh" all
    bash "$bench"
done
