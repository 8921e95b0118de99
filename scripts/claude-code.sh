#!/usr/bin/env bash
# claude-code.sh: prints the path of Claude Code's program, of the version the tests were written for; installed if need be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

version=2.1.330
home=$BUILD/claude-code-$version
if [ ! -d "$home/node_modules" ]; then
    say "Claude Code $version"
    mkdir -p "$home"
    npm install --prefix "$home" --ignore-scripts --no-audit --no-fund --silent "@anthropic-ai/claude-code@$version" >&2
fi
# The program itself is in the package for the platform.
find "$home/node_modules/@anthropic-ai" -path '*/claude-code-*/claude' -type f | head -n 1
