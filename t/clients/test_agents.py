"""Agents through the gateway, headless: each calls its shell three times before it knows, with a model of each of many families,
and goes on with a session while the family changes."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from conftest import defaults
from families import NATIVE, VARIED

AGENTS = os.environ.get("TEST_AGENTS")
CLAUDE = os.environ.get("TEST_CLAUDE_CODE")
pytestmark = pytest.mark.skipif(
    not (AGENTS and CLAUDE), reason="the agents are 900 MB, and not all of them free software: make test-agents installs them and runs this"
)
CLAUDES = """
    us.anthropic.claude-sonnet-4-20250514-v1:0
    us.anthropic.claude-sonnet-4-5-20250929-v1:0 us.anthropic.claude-sonnet-4-6 us.anthropic.claude-opus-4-8
    us.anthropic.claude-opus-5 us.anthropic.claude-opus-5-5 us.anthropic.claude-haiku-5-5
""".split()
QUESTION = "Run the shell."


class Agent:
    """A session with an agent: ask() goes on with it. `program` is its place in the node_modules."""

    program = ""
    models = VARIED

    @classmethod
    def path(cls):
        (path,) = Path(AGENTS).glob(cls.program)
        return path

    def __init__(self, url, api, directory):
        self.url, self.api, self.home, self.work = url, api, directory / "home", directory / "work"
        self.home.mkdir()
        self.work.mkdir()
        self.session, self.question = None, QUESTION

    def _run(self, arguments, environment):
        ran = subprocess.run(
            [self.path(), *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), "NO_COLOR": "1", **environment},
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


class Copilot(Agent):
    program = "@github/copilot-*/copilot"
    streamed = True
    wire = "completions"

    def ask(self, model):
        self.session = self.session or str(uuid.uuid4())
        arguments = ["-p", self.question, "--allow-all-tools", "-s", "--session-id", self.session]
        environment = {
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
            "COPILOT_PROVIDER_TYPE": self.api,
            "COPILOT_PROVIDER_BASE_URL": self.url + ("/v1" if self.api == "openai" else ""),
            "COPILOT_PROVIDER_API_KEY": "any",
            "COPILOT_PROVIDER_WIRE_API": self.wire,
            "COPILOT_MODEL": model,
        }
        return self._run([*arguments, "--stream", "on" if self.streamed else "off"], environment)


class CopilotWhole(Copilot):
    streamed = False


class CopilotResponses(Copilot):
    """GPT-6 has Responses of its own at Bedrock, where the stand-in calls no tools."""

    wire = "responses"
    models = [model for model in Copilot.models if "gpt-6" not in model]


class OpenCode(Agent):
    program = "opencode-*/bin/opencode"

    def ask(self, model):
        keys = {"baseURL": f"{self.url}/v1", "apiKey": "any"}
        if self.api == "amazon-bedrock":
            keys = {"baseURL": self.url, "region": "us-east-1", "accessKeyId": "any", "secretAccessKey": "any"}
        # Without a limit it asks for 32,000 tokens, which the gateway lowers where it translates.
        about = {"reasoning": True, "tool_call": True, "limit": {"context": 128000, "output": 8000}}
        provider = {"npm": f"@ai-sdk/{self.api}", "name": "Gateway", "options": keys, "models": {model: about}}
        config = {"provider": {"gateway": provider}, "permission": {"bash": "allow"}, "share": "disabled", "autoupdate": False}
        before = ["--session", self.session] if self.session else []
        environment = {
            "OPENCODE_CONFIG_CONTENT": json.dumps(config),
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
        }
        out = self._run(["run", "--auto", "--format", "json", "-m", f"gateway/{model}", *before, self.question], environment)
        events = [json.loads(line) for line in out.splitlines()]
        self.session = events[0]["sessionID"]
        return "".join(event["part"]["text"] for event in events if event["type"] == "text")


class OpenCodeNative(OpenCode):
    """As Bedrock's client it fits its requests itself, and the gateway does not change them; for a title it makes Nova 1 think, which
    that refuses."""

    models = [model for model in NATIVE if "anthropic" in model]


class Cline(Agent):
    """Each answer is of a session of its own: headless, it goes on with none."""

    program = "@cline/cli-linux-*/bin/cline"

    def ask(self, model):
        settings = {"provider": self.api, "apiKey": "any", "model": model, "baseUrl": self.url + ("" if self.api == "anthropic" else "/v1")}
        entry = {"settings": settings, "updatedAt": "2026-11-28T00:00:00.000Z", "tokenSource": "manual"}
        providers = {"version": 1, "lastUsedProvider": self.api, "modes": {}, "providers": {self.api: entry}}
        file = self.home / ".cline/data/settings/providers.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(providers))
        out = self._run(["-P", self.api, "-m", model, "--json", self.question], {"ANTHROPIC_API_KEY": "any"})
        return next(event["text"] for event in map(json.loads, out.splitlines()) if event["type"] == "run_result")


class ClaudeCode(Agent):
    @classmethod
    def path(cls):
        return CLAUDE

    def ask(self, model):
        environment = {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_AUTH_TOKEN": "any"}
        if self.api == "bedrock":
            environment = {"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_BEDROCK_BASE_URL": self.url, "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1", "AWS_REGION": "us-east-1"}
        environment |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "ANTHROPIC_MODEL": model, "ANTHROPIC_DEFAULT_HAIKU_MODEL": "us.anthropic.sim.text"}
        before = ["--resume", self.session] if self.session else []
        out = json.loads(self._run(["-p", self.question, "--allowedTools", "Bash", "--output-format", "json", *before], environment))
        self.session = out["session_id"]
        return out["result"]


class ClaudeCodeOfClaudes(ClaudeCode):
    models = CLAUDES


WAYS = [
    (Copilot, "openai"),
    (Copilot, "anthropic"),
    (CopilotWhole, "openai"),
    (CopilotResponses, "openai"),
    (CopilotWhole, "anthropic"),
    (OpenCode, "openai-compatible"),
    (OpenCode, "anthropic"),
    (OpenCodeNative, "amazon-bedrock"),
    (Cline, "openai-compatible"),
    (Cline, "anthropic"),
    (ClaudeCode, "messages"),
    (ClaudeCodeOfClaudes, "messages"),
    (ClaudeCodeOfClaudes, "bedrock"),
]


def name(way):
    return f"{way[0].__name__}-{way[1]}"


@pytest.fixture
def gateway(nginx, sim):
    return nginx("client_max_body_size 8m; location / { bedrock on; proxy_pass http://bedrock; }", defaults(sim.port))


def check(sim, requests):
    """All that was asked is taken; some agents ask beside for a title."""
    verdicts = [request["verdict"] for request in sim.requests()]
    assert set(verdicts) == {"ok"} and len(verdicts) >= requests


@pytest.mark.parametrize("way, model", [pytest.param(way, model, id=f"{name(way)}-{model}") for way in WAYS for model in way[0].models])
def test_a_loop_of_three_calls(gateway, sim, tmp_path, way, model):
    agent, api = way
    assert "The tool said: " in agent(gateway.url, api, tmp_path).ask(f"{model}.sim.agent")
    check(sim, 4)


@pytest.mark.parametrize("way", [way for way in WAYS if way[0] is not Cline], ids=name)
def test_a_session_that_moves_from_family_to_family(gateway, sim, tmp_path, way):
    agent, api = way
    session = agent(gateway.url, api, tmp_path)
    for model in agent.models:
        assert "The tool said: " in session.ask(f"{model}.sim.agent.calls-1"), model
    check(sim, 2 * len(agent.models))


def test_claude_code_counts_tokens(gateway, sim, tmp_path):
    session = ClaudeCode(gateway.url, "messages", tmp_path)
    session.question = "/context"
    assert "Context Usage" in session.ask("us.anthropic.claude-sonnet-4-6")
    counted = [request for request in sim.requests() if request["target"].endswith("/count-tokens")]
    assert counted and {request["verdict"] for request in counted} == {"ok"}
    assert gateway.next_log()["operation"] == "count_tokens"
