"""Clients that go away: with FIN, with RST, by resetting an HTTP/2 stream; before the first byte, in the middle, and after
they stopped reading. By default Bedrock is left alone at once; with `bedrock_client_abort drain` it is read to the end."""

import select
import socket
from pathlib import Path

import pytest

from conftest import LOCATION, defaults, eventually
from test_http2 import H2Client, h2_gateway
from test_streaming import FORMS, METADATA, NATIVE, SSE, START, STOP, WHOLE_ANSWER, complaints, delta, exception, linger, read, upstream

__all__ = ["upstream"]

DRAIN = "bedrock_client_abort drain;"
UNKNOWN = dict.fromkeys(["input_tokens", "output_tokens", "total_tokens", "stop_reason"])
FINAL = {"input_tokens": "7", "output_tokens": "9", "total_tokens": "16", "stop_reason": "end_turn"}


class H1:
    """A client over HTTP/1.1 that goes away."""

    def __init__(self, form, how):
        self.form, self.how = form, how

    def ask(self, nginx, upstream, directory, directives):
        server = LOCATION.replace("bedrock on;", f"bedrock on; {directives}")
        gateway = nginx(server, defaults(upstream.port))
        self.connection = self.form.ask(gateway)
        self.answer = None
        return gateway

    def read(self, frames):
        self.answer = self.answer or self.connection.getresponse()
        expected = self.form.expected(frames)
        assert read(self.answer, len(expected)) == expected

    def leave(self):
        # http.client hands the socket over to the answer, which has to be closed too.
        if self.how == "RST":
            linger(self.connection.sock)
        self.connection.close()
        if self.answer:
            self.answer.close()


class H2:
    """A client over HTTP/2 that goes away."""

    def __init__(self, form, how):
        self.form, self.how = form, how

    def ask(self, nginx, upstream, directory, directives):
        gateway, path = h2_gateway(nginx, upstream, directory, directives)
        self.client = H2Client(path)
        self.stream = self.client.ask(*self.form.request())
        self.seen = 0
        return gateway

    def read(self, frames):
        self.seen += len(self.form.expected(frames))
        assert self.client.until(self.stream, self.seen).endswith(self.form.expected(frames))

    def leave(self):
        if self.how == "RST_STREAM":
            self.client.reset(self.stream)
        else:
            self.client.close()


CLIENTS = pytest.mark.parametrize(
    "client",
    [H1(form, how) for form in (NATIVE, SSE) for how in ("FIN", "RST")]
    + [H2(form, how) for form in (NATIVE, SSE) for how in ("RST_STREAM", "close")],
    ids=lambda client: f"{type(client).__name__}-{client.form.name}-{client.how}",
)


def check_log(gateway, status, facts):
    log = gateway.next_log()
    assert log["stream_status"] == status
    assert {name: log[name] for name in facts} == facts
    return log


@CLIENTS
def test_before_the_first_byte(nginx, upstream, tmp_path, client):
    gateway = client.ask(nginx, upstream, tmp_path, "")
    exchange = upstream.take()
    client.leave()
    assert exchange.is_gone()
    log = check_log(gateway, "aborted", UNKNOWN)
    assert log["status"] == "499" and log["model"] == "a.model"


@CLIENTS
def test_while_the_first_frame_is_awaited(nginx, upstream, tmp_path, client):
    """Bedrock's header is there, but held back."""
    gateway = client.ask(nginx, upstream, tmp_path, "")
    exchange = upstream.take().start()
    exchange.chunk(START[:20])
    assert eventually(exchange.is_read)
    client.leave()
    assert exchange.is_gone()
    check_log(gateway, "aborted", UNKNOWN)


@CLIENTS
def test_in_mid_stream(nginx, upstream, tmp_path, client):
    gateway = client.ask(nginx, upstream, tmp_path, "")
    exchange = upstream.take().start()
    exchange.chunk(START)
    client.read([START])
    client.leave()
    assert exchange.is_gone()
    check_log(gateway, "aborted", UNKNOWN)
    assert complaints(gateway) == []


@pytest.mark.parametrize("client", [H1(WHOLE_ANSWER, "RST"), H2(WHOLE_ANSWER, "RST_STREAM")], ids=["H1", "H2"])
def test_an_answer_that_is_no_stream(nginx, upstream, tmp_path, client):
    """$bedrock_stream_status is for streams only."""
    gateway = client.ask(nginx, upstream, tmp_path, "")
    exchange = upstream.take()
    client.leave()
    assert exchange.is_gone()
    check_log(gateway, None, UNKNOWN)


def send_until_noticed(gateway, exchange):
    """Sends content until nginx says that the client is gone."""

    def noticed():
        exchange.chunk(delta("on and on "))
        return "client went away" in gateway.errors()

    assert eventually(noticed), gateway.errors()


def finish(exchange):
    exchange.chunk(STOP + METADATA)
    exchange.end()


@CLIENTS
def test_drained_from_before_the_first_byte(nginx, upstream, tmp_path, client):
    gateway = client.ask(nginx, upstream, tmp_path, DRAIN)
    exchange = upstream.take()
    client.leave()
    exchange.start()
    exchange.chunk(START)
    send_until_noticed(gateway, exchange)
    finish(exchange)
    check_log(gateway, "drained", FINAL)


@CLIENTS
def test_drained_from_mid_stream(nginx, upstream, tmp_path, client):
    gateway = client.ask(nginx, upstream, tmp_path, DRAIN)
    exchange = upstream.take().start()
    exchange.chunk(START)
    client.read([START])
    client.leave()
    send_until_noticed(gateway, exchange)
    finish(exchange)
    check_log(gateway, "drained", FINAL)
    # The connection to Bedrock was used to its end, so it is kept.
    assert not select.select([exchange.socket], [], [], 0)[0]


@FORMS
def test_drained_streams_fail_like_others(nginx, upstream, tmp_path, form):
    client = H1(form, "RST")
    gateway = client.ask(nginx, upstream, tmp_path, DRAIN)
    exchange = upstream.take().start()
    exchange.chunk(START)
    client.read([START])
    client.leave()
    send_until_noticed(gateway, exchange)
    exchange.chunk(exception("throttlingException"))
    exchange.end()
    log = check_log(gateway, "exception", UNKNOWN)
    assert log["exception"] == "throttlingException"
    assert len(complaints(gateway)) == 1


@FORMS
def test_a_drained_stream_that_is_cut_is_truncated(nginx, upstream, tmp_path, form):
    client = H1(form, "RST")
    gateway = client.ask(nginx, upstream, tmp_path, DRAIN)
    exchange = upstream.take().start()
    exchange.chunk(START)
    client.read([START])
    client.leave()
    send_until_noticed(gateway, exchange)
    exchange.close()
    check_log(gateway, "truncated", UNKNOWN)


def is_writable(exchange, seconds):
    return bool(select.select([], [exchange.socket], [], seconds)[1])


def fill(exchange):
    """Sends until nothing more is taken, because the client does not read."""
    piece = b"".join(delta("on and on " * 100) for _ in range(50))
    sent = 0
    exchange.socket.setblocking(False)
    chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
    rest = chunk
    while is_writable(exchange, 1):
        try:
            count = exchange.socket.send(rest)
        except BlockingIOError:
            continue
        sent += count
        rest = rest[count:] or chunk
        assert sent < 200 << 20, "somebody reads without end"
    exchange.socket.settimeout(10)
    return b"" if rest is chunk else rest


@FORMS
@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_drained_after_the_client_stopped_reading(nginx, upstream, tmp_path, form, how):
    """All buffers are full and nothing moves when the client goes; what waits for it must not keep Bedrock's rest waiting."""
    server = f"location / {{ bedrock on; {DRAIN} proxy_pass http://bedrock; }}"
    gateway = nginx(server, defaults(upstream.port))
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", gateway.port))
    path, body, headers = form.request()
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    client.sendall(f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {len(body)}\r\n{head}\r\n{body}".encode())
    exchange = upstream.take().start()
    exchange.chunk(START)
    left = fill(exchange)
    if how == "RST":
        linger(client)
    else:
        # Not close(): with unread data that would be RST too.
        client.shutdown(socket.SHUT_RDWR)
    client.close()
    exchange.send(left)
    send_until_noticed(gateway, exchange)
    finish(exchange)
    check_log(gateway, "drained", FINAL)


def has_client(gateway):
    """Whether the kernel still knows a connection of a client's."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{gateway.port:04X}") and line.split()[3] == "01" for line in lines)


@FORMS
def test_drained_though_a_large_frame_follows_a_pause(nginx, upstream, form):
    """nginx learns of the client's end between two reads, and then has more to write than one of its buffers holds."""
    gateway = nginx(LOCATION.replace("bedrock on;", f"bedrock on; {DRAIN}"), defaults(upstream.port))
    client = H1(form, "FIN")
    client.connection = form.ask(gateway)
    client.answer = None
    exchange = upstream.take().start()
    exchange.chunk(START)
    client.read([START])
    client.leave()
    exchange.chunk(delta("small"))
    # What was sent to a client that is gone has come back as RST.
    assert eventually(lambda: not has_client(gateway))
    exchange.chunk(delta("y" * 40000))
    finish(exchange)
    check_log(gateway, "drained", FINAL)


@FORMS
def test_drained_though_the_window_of_its_stream_is_closed(nginx, upstream, tmp_path, form):
    """Nothing can be written when RST_STREAM comes, so nothing but that says that nobody waits any more."""
    gateway, path = h2_gateway(nginx, upstream, tmp_path, f"{DRAIN} send_timeout 1h;")
    client = H2Client(path, window=1000)
    stream = client.ask(*form.request())
    exchange = upstream.take().start()
    exchange.chunk(START)
    left = fill(exchange)
    client.until(stream, 1000)
    client.reset(stream)
    exchange.send(left)
    finish(exchange)
    check_log(gateway, "drained", FINAL)


def test_the_stand_in_sees_who_leaves(nginx, sim):
    gateway = nginx(LOCATION, defaults(sim.port))
    client = NATIVE.ask(gateway, "sim.stall.at-1")
    answer = client.getresponse()
    assert answer.read1(1)
    client.close()
    answer.close()
    assert eventually(lambda: sim.requests()[0]["stream_ended"]) == "client_gone"
    check_log(gateway, "aborted", UNKNOWN)


def test_the_stand_in_is_drained(nginx, sim):
    gateway = nginx(LOCATION.replace("bedrock on;", f"bedrock on; {DRAIN}"), defaults(sim.port))
    client = NATIVE.ask(gateway, "sim.long.frames-100.pace-10")
    answer = client.getresponse()
    assert answer.read1(1)
    client.close()
    answer.close()
    assert eventually(lambda: sim.requests()[0]["stream_ended"]) == "complete"
    check_log(gateway, "drained", {"output_tokens": "100", "stop_reason": "end_turn"})
