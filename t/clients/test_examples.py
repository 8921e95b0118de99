"""Every configuration of nginx-conf/ loads as it is shipped, answers, and writes the log that it says."""

import json
import re
import ssl
import urllib.error
import urllib.request

import pytest

from conftest import ROOT, eventually
from ready import EXAMPLES, INCLUDED, WHOLE, Running, place, configuration_test

KEYS = {"access.conf": "key-for-search-team", "nginx.conf": "key-for-search-team", "teams.conf": "key-for-search-team", "claude-code.conf": "key-of-ada"}
TEAMS = {"access.conf": "search", "nginx.conf": "search", "teams.conf": "search", "claude-code.conf": "ada"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_loads(example, tmp_path):
    place(example, tmp_path)
    result = configuration_test(tmp_path)
    assert result.returncode == 0 and "[warn]" not in result.stderr, result.stderr


def test_what_is_included_is_shipped():
    """The package has these files, and the examples include no others but what they tell one to make."""
    included = {name for example in EXAMPLES for name in re.findall(r"^\s*include\s+([^/;*]+);", example.read_text(), re.M)}
    assert included == set(INCLUDED)
    installed = (ROOT / "debian/install").read_text()
    assert [name for name in INCLUDED if not re.search(rf"^{name}\s+etc/nginx$", installed, re.M)] == []


def ask(port, path, body=None, tls=False, **headers):
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, {"Content-Type": "application/json", **headers})
    context = ssl._create_unverified_context() if tls else None
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_answers(example, tmp_path, sim):
    ports = place(example, tmp_path, sim.port)
    tls = example == WHOLE
    port = ports["443" if tls else "8080"]
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    body = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
    key = KEYS.get(example.name)
    with Running(tmp_path, ports):
        assert ask(port, "/healthz", tls=tls) == (200, "ok\n")
        assert len(sim.requests()) == 0
        ways = [{}] if key is None else [{"Authorization": f"Bearer {key}"}, {"X-Api-Key": key}]
        for headers in ways:
            status, answer = ask(port, "/v1/chat/completions", body, tls, **headers)
            assert status == 200 and "Hello from" in answer
        if key:
            assert ask(port, "/v1/chat/completions", body, tls)[0] == 401
            assert ask(port, "/v1/chat/completions", body, tls, **{"X-Api-Key": "other"})[0] == 401
        assert not any(key and key in str(request) for request in sim.requests())
        log = tmp_path / "logs/bedrock.json"
        assert eventually(lambda: log.exists() and log.read_text().count("\n") >= len(ways) + 2 * bool(key))
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    for entry in entries[: len(ways)]:
        found = {name: entry[name] for name in ("team", "status", "model", "input_tokens", "output_tokens")}
        team = TEAMS.get(example.name, "")
        assert found == {"team": team, "status": "200", "model": model, "input_tokens": "25", "output_tokens": "12"}
    # /healthz is not in it.
    assert len(entries) == len(ways) + 2 * bool(key)
