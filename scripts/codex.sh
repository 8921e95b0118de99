#!/usr/bin/env bash
# codex.sh: prints the path of Codex CLI's program, of the version the tests were written for; installed if need be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

version=0.171.0
home=$BUILD/codex-$version
if [ ! -d "$home/node_modules" ]; then
    say "Codex CLI $version"
    mkdir -p "$home"
    npm install --prefix "$home" --ignore-scripts --no-audit --no-fund --silent "@openai/codex@$version" >&2
fi
# The program itself is in the package for the platform.
find "$home/node_modules/@openai" -path '*/codex-*/vendor/*/bin/codex' -type f | head -n 1
