"""proxy_next_upstream: a second server of the upstream gets the same call, and what is logged is its answer."""

import json

import pytest

from conftest import defaults, eventually
from test_streaming import NATIVE, SSE, WHOLE, WHOLE_ANSWER, Upstream, rest, upstream

__all__ = ["upstream"]

LOCATION = """location / {
    bedrock on; proxy_pass http://bedrock; proxy_read_timeout 1s;
    proxy_next_upstream error timeout http_503 non_idempotent;
}"""
WHOLE_JSON = json.dumps({"output": {}, "usage": {"inputTokens": 7, "outputTokens": 9, "totalTokens": 16}}).encode()
ANSWER = "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def other():
    """The second server."""
    one = Upstream()
    yield one
    one.close()


def fail(exchange, how):
    if how == "503":
        exchange.send(ANSWER % ("503 No", 2) + "{}")
    elif how == "reset":
        exchange.reset()


@pytest.mark.parametrize("how, status", [("503", "503"), ("refused", "502"), ("silence", "504"), ("reset", "502")])
@pytest.mark.parametrize("form", [NATIVE, SSE, WHOLE_ANSWER], ids=lambda form: form.name)
def test_the_second_server_gets_the_same_call(nginx, upstream, other, form, how, status):
    port = upstream.port
    if how == "refused":
        upstream.close()
    http = defaults(port).replace("keepalive 16;", f"server 127.0.0.1:{other.port} backup; keepalive 16;")
    gateway = nginx(LOCATION, http)
    client = form.ask(gateway)
    first = None if how == "refused" else upstream.take()
    if first:
        fail(first, how)
    second = other.take()
    if first:
        assert (second.request_line, second.body) == (first.request_line, first.body)
        assert second.headers.items() == first.headers.items()
    if form is WHOLE_ANSWER:
        second.send(ANSWER % ("200 OK", len(WHOLE_JSON)) + WHOLE_JSON.decode())
    else:
        second.start()
        second.chunk(b"".join(WHOLE))
        second.end()
    answer = client.getresponse()
    expected = WHOLE_JSON if form is WHOLE_ANSWER else form.expected(WHOLE)
    assert (answer.status, *rest(answer)) == (200, expected, True)
    log = gateway.next_log()
    assert (log["status"], log["upstream_status"]) == ("200", f"{status}, 200")
    assert (log["input_tokens"], log["output_tokens"], log["model"]) == ("7", "9", "a.model")
    assert log["stream_status"] == (None if form is WHOLE_ANSWER else "complete")
    assert "what was signed" not in gateway.errors()


@pytest.mark.parametrize("form", [NATIVE, SSE], ids=lambda form: form.name)
def test_after_the_header_nobody_else_is_asked(nginx, upstream, other, form):
    http = defaults(upstream.port).replace("keepalive 16;", f"server 127.0.0.1:{other.port} backup; keepalive 16;")
    gateway = nginx(LOCATION, http)
    client = form.ask(gateway)
    exchange = upstream.take().start()
    assert eventually(exchange.is_read)
    exchange.reset()
    assert client.getresponse().status == 502
    log = gateway.next_log()
    assert (log["status"], log["stream_status"], log["input_tokens"]) == ("502", "truncated", None)
    assert "," not in log["upstream_status"]


@pytest.mark.parametrize("equals, status", [("", 429), ("=", 200)])
def test_the_status_after_error_page_is_what_that_says(nginx, upstream, other, equals, status):
    """nginx's own rule: without "=" the client gets the status of the error, with the answer of the second attempt."""
    server = f"""
    location / {{ bedrock on; proxy_intercept_errors on; error_page 429 {equals} @other; proxy_pass http://bedrock; }}
    location @other {{ bedrock on; bedrock_region eu-west-1; proxy_pass http://127.0.0.1:{other.port}; }}
    """
    gateway = nginx(server, defaults(upstream.port))
    client = WHOLE_ANSWER.ask(gateway)
    upstream.take().send(ANSWER % ("429 No", 2) + "{}")
    other.take().send(ANSWER % ("200 OK", len(WHOLE_JSON)) + WHOLE_JSON.decode())
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (status, WHOLE_JSON)
    log = gateway.next_log()
    assert (log["status"], log["upstream_status"], log["input_tokens"]) == (str(status), "429 : 200", "7")
