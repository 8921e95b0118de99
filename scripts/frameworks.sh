#!/usr/bin/env bash
# frameworks.sh: prints the node_modules that have the frameworks for agents which are too large for every run of the client tests,
# of the versions the tests were written for; installed if need be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

packages=("@openai/agents@0.8.5" "zod@4.6.7")
home=$BUILD/frameworks
if [ "$(cat "$home/installed" 2>/dev/null)" != "${packages[*]}" ]; then
    say "Frameworks: ${packages[*]}"
    mkdir -p "$home"
    npm install --prefix "$home" --ignore-scripts --no-audit --no-fund --silent "${packages[@]}" >&2
    printf '%s\n' "${packages[*]}" >"$home/installed"
fi
printf '%s\n' "$home/node_modules"
