"""A worker that is told to end while it works: what it has begun, it ends."""

import json
import signal
import socket

import pytest

from conftest import LOCATION, defaults, eventually
from test_streaming import is_read


class LastByte:
    """A request of which all but the last byte was sent."""

    def __init__(self, gateway, size):
        body = json.dumps({"messages": [{"role": "user", "content": [{"text": "x" * size}]}]}).encode()
        self.socket = socket.create_connection(("127.0.0.1", gateway.port))
        self.socket.settimeout(20)
        head = f"POST /model/a.model/converse HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body[:-1])
        self._last = body[-1:]
        # An nginx that is told to end drops connections on which it has not seen a request.
        assert eventually(lambda: is_read(self.socket))

    def answer(self):
        self.socket.sendall(self._last)
        got = b""
        while piece := self.socket.recv(65536):
            got += piece
        # The request ends, and is logged, once both sides have closed.
        self.socket.close()
        return got


@pytest.mark.parametrize("size", [100_000, 8_000_000], ids=["in the worker", "in a thread"])
@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGQUIT], ids=["reload", "quit"])
def test_the_last_request_of_a_worker_that_ends(nginx, sim, how, size):
    """While a thread looks at a large body nothing else holds the worker: no timer of nginx's, no other client."""
    gateway = nginx(LOCATION.replace("}", "client_max_body_size 10m; }"), defaults(sim.port))
    (worker,) = gateway.workers()
    client = LastByte(gateway, size)
    gateway.process.send_signal(how)
    assert eventually(lambda: f"{worker}#{worker}: gracefully shutting down" in gateway.errors())
    answer = client.answer()
    assert answer.startswith(b"HTTP/1.1 200 ") and b"Hello from" in answer, answer[:300]
    assert gateway.next_log()["input_tokens"] == "25"
    assert eventually(lambda: worker not in gateway.workers() or gateway.process.poll() is not None)
    assert "open socket" not in gateway.errors() and "[alert]" not in gateway.errors()
