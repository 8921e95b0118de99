"""An answer whose body nginx cannot read, or that has none: the client is told, and the log says what it was told."""

import json

import pytest

from conftest import LOCATION, defaults
from test_streaming import NATIVE, SSE, START, WHOLE_ANSWER, Upstream, delta, rest, upstream

__all__ = ["upstream"]

FALLBACK = """
location / {{ bedrock on; proxy_intercept_errors on; error_page 502 = @other; proxy_pass http://bedrock; }}
location @other {{ bedrock on; proxy_pass http://127.0.0.1:{port}; }}
"""
BAD = {"a broken chunk": b"zz\r\nbroken", "a chunk that is broken later": b"2\r\nab\r\nzz\r\n", "no body": b"", "a part of a chunk": b"50\r\n"}


def head(form):
    kind = "application/json" if form is WHOLE_ANSWER else "application/vnd.amazon.eventstream"
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("form", [NATIVE, SSE, WHOLE_ANSWER], ids=lambda form: form.name)
def test_in_the_same_read_as_the_header(nginx, upstream, form, bad):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take()
    exchange.send(head(form) + bad)
    exchange.close()
    answer = client.getresponse()
    got, whole = rest(answer)
    if form is WHOLE_ANSWER and b"ab" in bad:
        # Some of it is there, and passes; the connection is cut after it.
        assert (answer.status, got, whole) == (200, b"ab", False)
    else:
        assert (answer.status, whole) == (502, True)
        assert json.loads(got) == {"message": "Bedrock's answer ended early."}
    assert gateway.next_log()["status"] == str(answer.status)
    assert "[alert]" not in gateway.errors()


@pytest.mark.parametrize("form", [NATIVE, SSE], ids=lambda form: form.name)
def test_in_the_middle_of_a_stream(nginx, upstream, form):
    """What came before arrives, and who can be told is told."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take().start()
    exchange.chunk(START)
    answer = client.getresponse()
    one = delta("x")
    exchange.send(b"%x\r\n%s\r\nzz\r\n" % (len(one), one))
    got, whole = rest(answer)
    assert not whole and got.startswith(form.expected([START, one]))
    assert (b"internalServerException" in got) == (form is SSE)
    assert exchange.is_gone()
    assert gateway.next_log()["stream_status"] == "truncated"


def test_a_fallback_takes_it(nginx, upstream):
    other = Upstream()
    gateway = nginx(FALLBACK.format(port=other.port), defaults(upstream.port))
    client = NATIVE.ask(gateway)
    upstream.take().send(head(NATIVE) + b"zz\r\n")
    second = other.take().start()
    second.chunk(START)
    second.close()
    assert client.getresponse().status == 200
    other.close()
