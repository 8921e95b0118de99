#!/usr/bin/env bash
# venv.sh [NAME]: prints the Python of build/venv, which has what t/clients/requirements.txt names; made or updated if need be.
# With a NAME that of build/venv-NAME, and of requirements-NAME.txt.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

name=${1:+-$1}
venv=$BUILD/venv$name
wanted=$ROOT/t/clients/requirements$name.txt
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
