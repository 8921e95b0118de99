"""Claude Code itself, headless, through the gateway: as Anthropic's API by both routes, and as Bedrock. The stand-in's model
calls its shell, and says what the shell said."""

import json
import os
import subprocess

import pytest

from conftest import defaults

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
"""


@pytest.fixture
def claude(nginx, sim, tmp_path):
    gateway = nginx(LOCATION, defaults(sim.port))

    def ask(environment):
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
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout)

    ask.gateway = gateway
    return ask


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
