#!/usr/bin/env bash
# lint.sh: formatting, clippy (warnings are errors), licences of the dependencies.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
"$ROOT/scripts/install.sh" build
exports=$("$ROOT/scripts/nginx-source.sh")
eval "$exports"
cargo clippy --workspace --all-targets ${CI:+--locked} -- -D warnings
cargo clippy --manifest-path fuzz/Cargo.toml --no-default-features --all-targets ${CI:+--locked} -- -D warnings
"$ROOT/scripts/licences.sh"
if command -v cargo-deny >/dev/null; then cargo deny check licenses bans sources; fi
if command -v shellcheck >/dev/null; then (cd scripts && shellcheck -x -e SC1091 ./*.sh ../.ci/run); fi
