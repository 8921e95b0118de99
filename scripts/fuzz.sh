#!/usr/bin/env bash
# fuzz.sh SECONDS [TARGET...]: runs each fuzz target for so long, on stable Rust and without cargo-fuzz. An input that fails
# is left in fuzz/artifacts/TARGET/; once mended, it belongs in fuzz/regressions/TARGET/, where `make test` tries it again.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET...]}; shift
command -v c++ >/dev/null || die "libFuzzer is C++: apt-get install g++"
cd "$ROOT/fuzz"
target=${CARGO_TARGET_DIR:-$ROOT/target}/fuzz
if [ $# -eq 0 ]; then
    mapfile -t all < <(sed -n 's,^path = "fuzz_targets/\(.*\)\.rs",\1,p' Cargo.toml)
    set -- "${all[@]}"
fi

cargo run --quiet --no-default-features --example seeds ${CI:+--locked}
# What cargo-fuzz sets. Sanitizers are for nightly Rust only, unless one insists.
triple=$(rustc -vV | sed -n 's/^host: //p')
coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares'
export RUSTC_BOOTSTRAP=1
RUSTFLAGS="--cfg fuzzing -Zsanitizer=address -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1 ${coverage//$'\n'/ }" \
    cargo build --release --target "$triple" --target-dir "$target" ${CI:+--locked} >&2

failed=()
for name; do
    say "$name, for $seconds s"
    mkdir -p "corpus/$name" "artifacts/$name" "regressions/$name"
    status=0
    # The address space of a frame with a wrong length is what a limit on memory finds.
    "$target/$triple/release/$name" "corpus/$name" "regressions/$name" -artifact_prefix="artifacts/$name/" \
        -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
        >"artifacts/$name.log" 2>&1 || status=$?
    grep -E '^stat::|panicked|ERROR|Test unit' "artifacts/$name.log" >&2 || true
    # Without its last figures it has not run, whatever its status says.
    grep -q '^stat::number_of_executed_units' "artifacts/$name.log" && [ "$status" -eq 0 ] || failed+=("$name")
done
[ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}; see fuzz/artifacts/*.log"
