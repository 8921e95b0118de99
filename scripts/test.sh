#!/usr/bin/env bash
# test.sh [crates]: everything, or the Rust tests alone. CI runs this.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

crates() (
    # The module's own crate needs nginx; it is built, and tested, like the others. A shell of its own: the steps that follow find nginx's
    # source for themselves, as they do when they run alone.
    "$ROOT/scripts/install.sh" build
    local exports
    exports=$("$ROOT/scripts/nginx-source.sh")
    eval "$exports"
    cargo test --workspace ${CI:+--locked}
    cargo test --manifest-path fuzz/Cargo.toml --no-default-features ${CI:+--locked}
)

if [ "${1:-}" = crates ]; then
    crates
    exit
fi
"$ROOT/scripts/install.sh" test
say "licences"; "$ROOT/scripts/licences.sh"
say "the crates"; crates
say "in nginx"; "$ROOT/scripts/test-nginx.sh"
say "in the wrong nginx"; "$ROOT/scripts/test-wrong-nginx.sh"
say "one module"; "$ROOT/scripts/test-one-file.sh"
say "with real clients"; "$ROOT/scripts/test-clients.sh"
say "make run"; ONCE=1 "$ROOT/scripts/run.sh"
