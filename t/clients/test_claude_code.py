"""Claude Code itself, headless, through the gateway: as Anthropic's API by both routes, and as Bedrock. The stand-in's model
calls its shell, and says what the shell said."""

import itertools
import json
import os
import subprocess
import urllib.request

import pytest

from conftest import ROOT, defaults

CLAUDE = os.environ.get("TEST_CLAUDE_CODE")
pytestmark = pytest.mark.skipif(
    not CLAUDE, reason="Claude Code is 400 MB, and not free software: make test-claude-code installs it and runs this"
)

LOCATION = """
    location / {
        bedrock on;
        bedrock_alias claude-by-invoke   us.anthropic.sim.shell;
        bedrock_alias claude-by-converse amazon.nova-sim.shell;
        bedrock_alias claude-haiku-4-5   us.anthropic.sim.text;
        proxy_pass http://bedrock;
    }
    location = /last { return 204; }
"""


@pytest.fixture
def claude(nginx, sim, tmp_path):
    """claude(environment) asks it; with a limit, through a gateway where it is used up."""

    def ask(environment, limit=None):
        gateway = ask.gateway = nginx(LOCATION, defaults(sim.port)) if limit is None else used_up(nginx, sim, limit)
        (tmp_path / "home").mkdir()
        (tmp_path / "work").mkdir()
        ran = subprocess.run(
            [CLAUDE, "-p", "Run the shell.", "--allowedTools", "Bash", "--output-format", "json"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path / "home"),
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                **{name: value.format(url=gateway.url) for name, value in environment.items()},
            },
            cwd=tmp_path / "work",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        answer = json.loads(ran.stdout)
        assert ran.returncode == (1 if answer["is_error"] else 0), ran.stdout + ran.stderr
        return answer

    return ask


def used_up(nginx, sim, limit):
    """A gateway whose limit one request has used up."""
    zone = f"bedrock_prices {ROOT}/nginx-conf/bedrock_prices; bedrock_limit_zone all zone=z:1m {limit};"
    gateway = nginx(LOCATION.replace("on;", "on; bedrock_limit zone=z;"), zone + defaults(sim.port))
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}).encode()
    request = urllib.request.Request(f"{gateway.url}/model/amazon.nova-lite-v1:0/converse", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=20).close()
    assert gateway.next_log()["status"] == "200"
    return gateway


def statuses(gateway):
    """Of all that it asked models."""
    urllib.request.urlopen(f"{gateway.url}/last", timeout=20).close()
    lines = iter(gateway.next_log, None)
    asked = itertools.takewhile(lambda line: line["status"] != "204", lines)
    return [line["status"] for line in asked if line["operation"] in ("invoke_stream", "converse_stream")]


def logs_of_answers(gateway):
    """The log lines of two answers; before them it may have asked for models, and been refused Bedrock's control plane."""
    found = []
    while len(found) < 2:
        log = gateway.next_log()
        if log["operation"] in ("invoke_stream", "converse_stream"):
            found.append(log)
    return found


AS_ANTHROPIC = {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_AUTH_TOKEN": "key-of-ada", "ANTHROPIC_DEFAULT_HAIKU_MODEL": "claude-haiku-4-5"}
AS_BEDROCK = {
    "CLAUDE_CODE_USE_BEDROCK": "1",
    "ANTHROPIC_BEDROCK_BASE_URL": "{url}",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1",
    "AWS_REGION": "us-east-1",
    "ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer key-of-ada",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "us.anthropic.sim.text",
}


@pytest.mark.parametrize(
    "environment,api,operation",
    [
        ({**AS_ANTHROPIC, "ANTHROPIC_MODEL": "claude-by-invoke"}, "anthropic", "invoke_stream"),
        ({**AS_ANTHROPIC, "ANTHROPIC_MODEL": "claude-by-converse"}, "anthropic", "converse_stream"),
        ({**AS_BEDROCK, "ANTHROPIC_MODEL": "us.anthropic.sim.shell"}, "native", "invoke_stream"),
    ],
    ids=["invoke", "converse", "bedrock"],
)
def test_a_tool_there_and_back(claude, sim, environment, api, operation):
    answer = claude(environment)
    assert answer["result"].startswith("The tool said: shell-42"), answer
    assert (answer["num_turns"], answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (2, 50, 24)
    for log in logs_of_answers(claude.gateway):
        assert (log["api"], log["operation"], log["stream_status"]) == (api, operation, "complete")
        assert (log["input_tokens"], log["output_tokens"]) == ("25", "12")
        assert log["session_id"] == answer["session_id"]
    assert "key-of-ada" not in json.dumps(sim.requests())


SHELL = [{**AS_ANTHROPIC, "ANTHROPIC_MODEL": "claude-by-invoke"}, {**AS_BEDROCK, "ANTHROPIC_MODEL": "us.anthropic.sim.shell"}]
SONNET = [{**one, "ANTHROPIC_MODEL": "us.anthropic.claude-sonnet-4-6"} for one in (AS_ANTHROPIC, AS_BEDROCK)]
APIS = ["anthropic", "bedrock"]


@pytest.mark.parametrize("environment", SHELL, ids=APIS)
def test_it_comes_back_when_it_is_soon(claude, environment):
    answer = claude(environment, "rate=15r/m burst=1r")
    assert answer["result"].startswith("The tool said: shell-42"), answer
    # The first may have been late enough.
    assert statuses(claude.gateway) in (["429", "200"] * 2, ["200", "429", "200"])


@pytest.mark.parametrize("environment", SONNET, ids=APIS)
def test_it_gives_up_at_once_when_it_is_not(claude, environment):
    answer = claude(environment, "rate=1r/h burst=1r")
    assert 'Rate limit "z" reached: 0 of 1 requests are left' in answer["result"]
    assert statuses(claude.gateway) == ["429"]


@pytest.mark.parametrize("environment,attempts", [(SONNET[0], ["429"]), (SONNET[1], ["400"] * 2)], ids=APIS)
def test_it_gives_up_when_the_budget_is_spent(claude, environment, attempts):
    """After a 400 of Bedrock's own API it tries once more with less in the request."""
    answer = claude(environment, "budget=1r/total")
    assert 'Budget "z" exhausted: 0 of 1 requests are left' in answer["result"]
    assert statuses(claude.gateway) == attempts


def test_it_gives_up_when_there_is_no_price(claude):
    """As Bedrock's own API it would try for minutes: it takes each 403 there for keys that have expired."""
    answer = claude({**AS_ANTHROPIC, "ANTHROPIC_MODEL": "claude-by-invoke"}, "budget=100usd/day")
    assert "this model has no price here" in answer["result"]
    assert statuses(claude.gateway) == ["403"]
