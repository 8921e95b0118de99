"""Codex CLI itself, headless and without a network, through the gateway: a session of three turns, in which the model calls the shell twice at
once, and patches a file. Bedrock is a script here, because Codex has tools of its own."""

import json
import os
import struct
import subprocess
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import LOCATION, defaults

CODEX = os.environ.get("TEST_CODEX")
pytestmark = pytest.mark.skipif(not CODEX, reason="Codex CLI is 200 MB: make test-codex installs it and runs this")

PATCH = "*** Begin Patch\n*** Add File: a.txt\n+hello \"there\" é\n*** End Patch\n"
SIGNATURE = "c2lnbmF0dXJl+/=="


def frame(name, payload):
    headers = b""
    for key, value in ((":event-type", name), (":content-type", "application/json"), (":message-type", "event")):
        headers += bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


def call(index, name, arguments):
    pieces = [arguments[at : at + 7] for at in range(0, len(arguments), 7)]
    yield "contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": f"call_{name}_{index}", "name": name}}}
    for piece in pieces:
        yield "contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}}
    yield "contentBlockStop", {"contentBlockIndex": index}


def text(index, said):
    yield "contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": said}}
    yield "contentBlockStop", {"contentBlockIndex": index}


def reasoning(index):
    for delta in ({"text": "Let me look."}, {"signature": SIGNATURE}):
        yield "contentBlockDelta", {"contentBlockIndex": index, "delta": {"reasoningContent": delta}}
    yield "contentBlockStop", {"contentBlockIndex": index}


def turn(results):
    """What the model says once so many tools have given something."""
    shell = lambda command: json.dumps({"cmd": command})
    if results == 0:
        return [*reasoning(0), *call(1, "exec_command", shell("echo first-$((6*7))")), *call(2, "exec_command", shell("echo second"))]
    if results == 2:
        return [*text(0, "Now a patch."), *call(1, "apply_patch", json.dumps({"input": PATCH}))]
    return [*text(0, "It is done.")]


@pytest.fixture
def bedrock():
    """A model that has a plan, and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append(body)
            blocks = [block for message in body["messages"] for block in message["content"]]
            said = turn(sum("toolResult" in block for block in blocks))
            stop = "tool_use" if any("toolUse" in event[1].get("start", {}) for event in said) else "end_turn"
            usage = {"inputTokens": 25, "outputTokens": 12, "totalTokens": 37}
            events = [("messageStart", {"role": "assistant"}), *said, ("messageStop", {"stopReason": stop}), ("metadata", {"usage": usage})]
            answer = b"".join(frame(*event) for event in events)
            self.send_response(200)
            self.send_header("content-type", "application/vnd.amazon.eventstream")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.asked = asked
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("built_in", [False, True], ids=["a provider of its own", "in OpenAI's place"])
def test_a_session(nginx, bedrock, tmp_path, built_in):
    alias = "bedrock on; bedrock_alias gpt-5.5 us.anthropic.claude-sonnet-4-6;"
    gateway = nginx(LOCATION.replace("bedrock on;", alias), defaults(bedrock.server_port))
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    provider = f"""
        model_provider = "gateway"
        [model_providers.gateway]
        name = "gateway"
        base_url = "{gateway.url}/v1"
        env_key = "GATEWAY_KEY"
        wire_api = "responses"
    """
    in_place = f'openai_base_url = "{gateway.url}/v1"'
    (home / "config.toml").write_text(f'model = "gpt-5.5"\n{in_place if built_in else provider}')
    ran = subprocess.run(
        [CODEX, "exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Make a file."],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home), "GATEWAY_KEY": "any", "CODEX_API_KEY": "any"},
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    said = [event["item"]["text"] for event in events if event["type"] == "item.completed" and event["item"]["type"] == "agent_message"]
    assert said == ["Now a patch.", "It is done."], ran.stdout + ran.stderr
    assert (work / "a.txt").read_text() == 'hello "there" é\n'

    first, second, third = bedrock.asked
    offered = [tool["toolSpec"]["name"] for tool in first["toolConfig"]["tools"]]
    assert {"exec_command", "apply_patch"} <= set(offered)
    assistant, results = second["messages"][-2:]
    # The reasoning comes back as it was, before the calls it led to.
    assert assistant["content"][0] == {"reasoningContent": {"reasoningText": {"text": "Let me look.", "signature": SIGNATURE}}}
    assert [block["toolUse"]["input"] for block in assistant["content"][1:]] == [{"cmd": "echo first-$((6*7))"}, {"cmd": "echo second"}]
    outputs = [block["toolResult"]["content"][0]["text"] for block in results["content"]]
    assert "first-42" in outputs[0] and "second" in outputs[1]
    patched = third["messages"][-2]["content"]
    assert patched[0] == {"text": "Now a patch."} and patched[1]["toolUse"]["input"] == {"input": PATCH}

    log = gateway.next_log()
    while log["operation"] != "converse_stream":
        # Its attempt at a web socket, or a list of models.
        log = gateway.next_log()
    assert (log["api"], log["stream_status"], log["tool_calls"], log["input_tokens"]) == ("responses", "complete", "2", "25")
