"""Clients that take their answer later than the upstream gives it: they get what those get that are fast. How much of it
is kept meanwhile is in test_memory.py."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import LOCATION, defaults, eventually
from test_openai_streams import CHAT
from test_streaming import METADATA, NATIVE, SHORT_SILENCE, SSE, START, STOP, delta, flipped, upstream

__all__ = ["upstream"]

FORMS = pytest.mark.parametrize("form", [NATIVE, SSE, CHAT], ids=lambda form: form.name)
# More than the kernel holds for a client that does not read.
LARGE = "q" * 6_000_000


class SlowClient:
    """Asks, and reads nothing before it is told to."""

    def __init__(self, gateway, form):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", gateway.port))
        self.socket.settimeout(10)
        path, body, headers = form.request()
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {len(body)}\r\n{head}\r\n{body}".encode())

    def rest(self):
        """Everything up to the answer's proper end, or the connection's."""
        got = bytearray()
        while not got.endswith(b"\r\n0\r\n\r\n") and (piece := self.socket.recv(1 << 20)):
            got += piece
        return bytes(got)


def test_what_came_before_the_upstream_fell_silent_is_delivered(nginx, upstream):
    """nginx gives up the upstream while much of what it sent still waits for the client."""
    gateway = nginx(SHORT_SILENCE, defaults(upstream.port))
    client = SlowClient(gateway, CHAT)
    exchange = upstream.take().start()
    exchange.chunk(START + delta(LARGE))
    for number in range(5):
        assert eventually(exchange.is_read)
        exchange.chunk(delta(f"tail {number}"))
    assert eventually(lambda: "timed out" in gateway.errors()), gateway.errors()
    got = client.rest()
    assert [number for number in range(5) if b"tail %d" % number in got] == [0, 1, 2, 3, 4]
    assert b"stream_truncated" in got and b"[DONE]" not in got
    assert gateway.next_log()["stream_status"] == "truncated"


def test_an_answer_that_ends_with_an_error_ends_with_the_client(nginx, upstream):
    """The upstream stays as it is: neither it nor nginx says anything any more."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = SlowClient(gateway, CHAT)
    exchange = upstream.take().start()
    exchange.chunk(START + delta(LARGE) + flipped(delta("bad"), -1))
    assert exchange.is_gone()
    got = client.rest()
    assert b"stream_corrupt" in got and got.endswith(b"\r\n0\r\n\r\n")
    log = gateway.next_log()
    assert (log["status"], log["stream_status"]) == ("200", "corrupt")


@FORMS
def test_a_slow_client_gets_a_whole_stream(nginx, upstream, form):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = SlowClient(gateway, form)
    exchange = upstream.take().start()

    def send():
        for part in START, delta(LARGE), STOP, METADATA:
            exchange.chunk(part)
        exchange.end()

    # What passes as it is leaves no faster than the client takes it.
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send)
        got = client.rest()
        sent.result()
    assert got.count(b"q") >= len(LARGE) and got.endswith(b"\r\n0\r\n\r\n")
    log = gateway.next_log()
    assert (log["stream_status"], log["input_tokens"], log["output_tokens"]) == ("complete", "7", "9")
