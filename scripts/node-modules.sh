#!/usr/bin/env bash
# node-modules.sh: prints the node_modules in build/node, which have what t/clients/node/package-lock.json names; made or
# updated if need be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

home=$BUILD/node
wanted=$ROOT/t/clients/node
if ! cmp -s "$wanted/package-lock.json" "$home/installed-lock.json"; then
    say "Node packages for the client tests"
    mkdir -p "$home"
    cp "$wanted/package.json" "$wanted/package-lock.json" "$home/"
    npm ci --prefix "$home" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    cp "$wanted/package-lock.json" "$home/installed-lock.json"
fi
printf '%s\n' "$home/node_modules"
