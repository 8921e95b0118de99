#!/usr/bin/env bash
# page.sh: sees to it that there is a browser for the tests of the status page, and prints the file of axe-core, of the version the tests
# were written for; both installed if need be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

version=4.14.1
home=$BUILD/page
"$ROOT/scripts/install.sh" page
if [ "$(cat "$home/installed" 2>/dev/null)" != "$version" ]; then
    say "axe-core $version"
    mkdir -p "$home"
    npm install --prefix "$home" --ignore-scripts --no-audit --no-fund --silent "axe-core@$version" >&2
    printf '%s\n' "$version" >"$home/installed"
fi
printf '%s\n' "$home/node_modules/axe-core/axe.min.js"
