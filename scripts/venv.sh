#!/usr/bin/env bash
# venv.sh: prints the Python of build/venv, which has what t/clients/requirements.txt names; made or updated if need be.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

venv=$BUILD/venv
wanted=$ROOT/t/clients/requirements.txt
if ! cmp -s "$wanted" "$venv/requirements.txt"; then
    # Debian's Python first: another one in PATH may be newer or older than what the versions were pinned for.
    for python in /usr/bin/python3 python3; do
        "$python" -c 'import venv, ensurepip' 2>/dev/null && break
    done
    say "Python packages for the client tests"
    "$python" -m venv --clear "$venv" >&2
    "$venv/bin/python3" -m pip install --quiet --disable-pip-version-check --requirement "$wanted" >&2
    cp "$wanted" "$venv/requirements.txt"
fi
printf '%s\n' "$venv/bin/python3"
