"""AWS's SDK for JavaScript through the gateway, over the HTTP/2 that it speaks to Bedrock unless it is told otherwise; the calls
are in node/aws.mjs."""

import re
import subprocess

import pytest

from conftest import NGINX, Nginx, defaults, free_port
from node_process import Node
from ready import CONFIGURATIONS, Running, place

TEXT = "Hello from the Bedrock stand-in."
USAGE = {"inputTokens": 25, "outputTokens": 12, "totalTokens": 37}
VERSION = tuple(map(int, re.search(r"/(\d+)\.(\d+)\.(\d+)", subprocess.run([NGINX, "-v"], capture_output=True, text=True).stderr).groups()))
HAS_HTTP2_DIRECTIVE = VERSION >= (1, 25, 1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture(scope="module")
def node(certificate):
    """One process for all calls."""
    program = Node("aws.mjs", NODE_EXTRA_CA_CERTS=str(certificate[0]))
    yield program
    program.close()


@pytest.fixture
def call(node):
    def ask(scenario, url, model, http1=False, token=None):
        return node.call(scenario=scenario, url=url, model=model, http1=http1, token=token)

    return ask


@pytest.fixture(scope="module")
def ways(sim_process, certificate, tmp_path_factory):
    """The URLs of one gateway, by the way in which it listens, and the gateway."""
    clear, tls = free_port(), free_port()
    server = f"""
        listen 127.0.0.1:{clear} http2;
        listen 127.0.0.1:{tls} ssl http2;
        ssl_certificate     {certificate[0]};
        ssl_certificate_key {certificate[1]};
        location / {{ bedrock on; proxy_pass http://bedrock; }}
    """
    gateway = Nginx(tmp_path_factory.mktemp("ways"), server, defaults(sim_process.port))
    yield {"clear": f"http://127.0.0.1:{clear}", "tls": f"https://127.0.0.1:{tls}", "http1": gateway.url}, gateway
    gateway.close()
    assert "[alert]" not in gateway.errors() and "[emerg]" not in gateway.errors(), gateway.errors()


@pytest.fixture(params=["clear", "tls", "http1"])
def way(request, ways, sim, call):
    """ask(scenario, model), and the gateway whose log it comes to."""
    urls, gateway = ways
    gateway.skip_log()
    return lambda scenario, model: call(scenario, urls[request.param], model, http1=request.param == "http1"), gateway


def test_a_whole_answer(way):
    ask, gateway = way
    seen = ask("converse", "sim.text")
    log = gateway.next_log()
    assert seen == {"text": TEXT, "usage": USAGE, "request_id": log["request_id"]}
    assert (log["operation"], log["status"], log["input_tokens"]) == ("converse", "200", "25")


def test_a_stream(way):
    ask, gateway = way
    seen = ask("stream", "sim.text")
    assert (seen["text"], seen["usage"]) == (TEXT, USAGE)
    assert seen["kinds"] == ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]
    log = gateway.next_log()
    assert (log["operation"], log["stream_status"], log["output_tokens"]) == ("converse_stream", "complete", "12")


def test_a_tool_and_its_result(way):
    ask, gateway = way
    assert ask("tools", "sim.tool") == {"text": "The tool said: 18 in Paris"}
    assert [gateway.next_log()["operation"] for _ in range(2)] == ["converse", "converse_stream"]


def test_an_invoke_stream(way):
    ask, gateway = way
    kinds = ask("invoke_stream", "anthropic.sim.text")["kinds"]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert gateway.next_log()["operation"] == "invoke_stream"


def test_many_streams_at_once(way):
    ask, gateway = way
    assert ask("many", "sim.text") == {"texts": [TEXT]}
    assert {gateway.next_log()["stream_status"] for _ in range(20)} == {"complete"}


@pytest.mark.parametrize(
    ("model", "error", "status"),
    [("sim.throttled", "ThrottlingException", 429), ("sim.http-400-validation", "ValidationException", 400), ("sim.exception", "ThrottlingException", 429)],
)
def test_an_error(way, model, error, status):
    ask, gateway = way
    seen = ask("stream", model)
    assert (seen["error"], seen["status"]) == (error, status)
    assert gateway.next_log()["status"] == str(status)


def test_an_exception_in_the_stream(way):
    ask, gateway = way
    assert ask("stream", "sim.exception.at-3")["error"] == "ThrottlingException"
    assert gateway.next_log()["stream_status"] == "exception"


def test_a_stream_that_is_cut(way):
    """Not taken for a whole one."""
    ask, gateway = way
    assert "error" in ask("stream", "sim.truncated.at-3")
    assert gateway.next_log()["stream_status"] == "truncated"


@pytest.mark.skipif(not HAS_HTTP2_DIRECTIVE, reason="nginx has the http2 directive from 1.25.1 on")
def test_one_port_for_both(nginx, sim, call):
    gateway = nginx("http2 on; location / { bedrock on; proxy_pass http://bedrock; }", defaults(sim.port))
    for http1 in (False, True):
        assert call("stream", gateway.url, "sim.text", http1)["text"] == TEXT


@pytest.mark.skipif(HAS_HTTP2_DIRECTIVE, reason="a port in the clear takes both from nginx 1.25.1 on")
def test_a_port_with_http2_takes_nothing_else(ways, sim, call):
    """As docs/quickstart.md says: other clients need the other port."""
    assert "error" in call("converse", ways[0]["clear"], "sim.text", http1=True)


def test_a_port_without_http2_is_no_use_to_the_default(ways, sim, call):
    """As docs/troubleshooting.md says."""
    assert call("converse", ways[0]["http1"], "sim.text")["status"] is None
    assert "client sent invalid" in ways[1].errors()


@pytest.mark.parametrize("example", ["minimal.conf", "access.conf", "failover.conf"])
def test_the_ready_configurations(example, sim, call, tmp_path):
    """Each has a port for this SDK."""
    ports = place(CONFIGURATIONS / example, tmp_path, sim.port)
    token = "key-for-search-team" if example == "access.conf" else None
    with Running(tmp_path, ports):
        seen = call("stream", f"http://127.0.0.1:{ports['8081']}", "us.amazon.nova-lite-v1:0", token=token)
        assert seen == {**seen, "text": TEXT, "usage": USAGE}
