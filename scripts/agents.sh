#!/usr/bin/env bash
# agents.sh: prints the node_modules that have the programs of the agents beside Claude Code, of the versions the tests were
# written for; installed if need be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case $(uname -m) in
    aarch64) machine=linux-arm64 ;;
    *) machine=linux-x64 ;;
esac
packages=("@cline/cli-$machine@3.0.65" "@github/copilot-$machine@1.0.102" "opencode-$machine@1.18.33")
home=$BUILD/agents
if [ "$(cat "$home/installed" 2>/dev/null)" != "${packages[*]}" ]; then
    say "Agents: ${packages[*]}"
    mkdir -p "$home"
    npm install --prefix "$home" --ignore-scripts --no-audit --no-fund --silent "${packages[@]}" >&2
    printf '%s\n' "${packages[*]}" >"$home/installed"
fi
printf '%s\n' "$home/node_modules"
