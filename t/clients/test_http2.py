"""Streams to HTTP/2 clients. H2Client is just enough of HTTP/2 to see how a stream ends, and to end it."""

import shutil
import socket
import struct
import subprocess

import pytest

from conftest import defaults
from test_streaming import FORMS, NATIVE, START, STOP, METADATA, WHOLE, complaints, delta, exception, upstream

__all__ = ["upstream"]

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4


class H2Client:
    """One connection with prior knowledge of HTTP/2; streams 1, 3, 5 …"""

    def __init__(self, path, window=(1 << 31) - 1):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        self._file = self.socket.makefile("rb")
        self._next = 1
        # What came: for each stream its status, its bytes, and how it ended: None, "end" or ("reset", code).
        self.status, self.bytes, self.ended = {}, {}, {}
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self._send(SETTINGS, 0, 0, struct.pack(">HI", 4, window))
        if window > 65535:
            self._send(WINDOW_UPDATE, 0, 0, struct.pack(">I", window - 65535))

    def _send(self, kind, flags, stream, payload):
        self.socket.sendall(struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload)

    def ask(self, path, body, headers):
        """Sends a request and returns its stream."""
        stream, self._next = self._next, self._next + 2
        fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "gateway", **headers}
        block = b"".join(
            b"\x00" + b"".join(b"\x7f" + _rest(len(part) - 127) + part if len(part) >= 127 else bytes([len(part)]) + part for part in pair)
            for pair in ((name.lower().encode(), value.encode()) for name, value in fields.items())
        )
        self._send(HEADERS, END_HEADERS, stream, block)
        self._send(DATA, END_STREAM, stream, body.encode())
        self.bytes[stream], self.ended[stream] = b"", None
        return stream

    def allow(self, stream, size):
        """Opens the window of the stream and of the connection."""
        for number in (0, stream):
            self._send(WINDOW_UPDATE, 0, number, struct.pack(">I", size))

    def reset(self, stream):
        """Says that the client does not want the rest."""
        self._send(RST_STREAM, 0, stream, struct.pack(">I", 8))

    def step(self):
        """Takes the next frame."""
        head = self._file.read(9)
        assert len(head) == 9, "the connection is closed"
        length, (kind, flags, stream) = int.from_bytes(head[:3], "big"), struct.unpack(">BBI", head[3:])
        payload = self._file.read(length)
        if kind == HEADERS:
            self.status[stream] = {0x88: 200, 0x8C: 400, 0x8E: 500}.get(payload[0]) or int(_status(payload))
        elif kind == DATA:
            self.bytes[stream] += payload
        elif kind == RST_STREAM:
            self.ended[stream] = ("reset", struct.unpack(">I", payload)[0])
        elif kind == SETTINGS and not flags & ACK:
            self._send(SETTINGS, ACK, 0, b"")
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended[stream] = "end"

    def until(self, stream, size):
        """Waits for so many bytes of an answer."""
        while len(self.bytes[stream]) < size:
            assert self.ended[stream] is None, f"ended: {self.ended[stream]} after {self.bytes[stream]!r}"
            self.step()
        return self.bytes[stream]

    def to_the_end(self, stream):
        """Waits for the end of an answer: its status, its bytes, and whether it ended as whole ones do."""
        while self.ended[stream] is None:
            self.step()
        return self.status.get(stream), self.bytes[stream], self.ended[stream] == "end"

    def close(self):
        self._file.close()
        self.socket.close()


def _rest(number):
    """An HPACK integer's bytes after the prefix."""
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def _status(block):
    """A status that has no index of its own: a literal whose name is indexed, plain or in Huffman code (digits only)."""
    length, text = block[1] & 0x7F, block[2:]
    if not block[1] & 0x80:
        return text[:length]
    codes = {"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4"}
    codes |= {f"0{number + 21:05b}": str(number) for number in range(5, 10)} | {"011011": "5", "011100": "6", "011101": "7", "011110": "8", "011111": "9"}
    bits, found, at = "".join(f"{byte:08b}" for byte in text[:length]), "", 0
    while len(found) < 3:
        size = 5 if bits[at : at + 5] in codes else 6
        found += codes[bits[at : at + size]]
        at += size
    return found


def h2_gateway(nginx, upstream, directory, directives=""):
    """nginx that speaks HTTP/2 on a socket file, and that file."""
    path = directory / "h2.sock"
    server = f"listen unix:{path} http2; location / {{ bedrock on; {directives} proxy_pass http://bedrock; }}"
    return nginx(server, defaults(upstream.port)), path


@FORMS
def test_a_whole_stream(nginx, upstream, tmp_path, form):
    """Each event before the next one is sent, and the end as an end."""
    gateway, path = h2_gateway(nginx, upstream, tmp_path)
    client = H2Client(path)
    stream = client.ask(*form.request())
    exchange = upstream.take().start()
    for count, one in enumerate(WHOLE, 1):
        exchange.chunk(one)
        expected = form.expected(WHOLE[:count])
        assert client.until(stream, len(expected)) == expected
    exchange.end()
    assert client.to_the_end(stream) == (200, form.expected(WHOLE), True)
    log = gateway.next_log()
    assert (log["stream_status"], log["input_tokens"], log["output_tokens"]) == ("complete", "7", "9")


@FORMS
@pytest.mark.parametrize("how", ["close", "clean end", "damage"])
def test_a_cut_stream_is_reset(nginx, upstream, tmp_path, form, how):
    """RST_STREAM, never END_STREAM; the connection and its other streams live on."""
    gateway, path = h2_gateway(nginx, upstream, tmp_path)
    client = H2Client(path)
    other = client.ask(*form.request())
    exchange_of_other = upstream.take().start()
    exchange_of_other.chunk(START)
    stream = client.ask(*form.request())
    exchange = upstream.take().start()
    exchange.chunk(b"".join(WHOLE[:2]))
    expected = form.expected(WHOLE[:2])
    assert client.until(stream, len(expected)) == expected
    if how == "damage":
        exchange.chunk(STOP[:-1] + b"?")
    elif how == "close":
        exchange.close()
    else:
        exchange.end()
    log = gateway.next_log()
    assert (log["status"], log["stream_status"]) == ("200", "corrupt" if how == "damage" else "truncated")
    assert len(complaints(gateway)) == 1
    # nginx itself sends RST_STREAM only with the connection's next frame while other streams are open.
    exchange_of_other.chunk(STOP + METADATA)
    exchange_of_other.end()
    assert client.to_the_end(other) == (200, form.expected([START, STOP, METADATA]), True)
    status, got, whole = client.to_the_end(stream)
    assert status == 200 and got.startswith(expected) and not whole


def test_an_exception_frame_is_a_proper_end(nginx, upstream, tmp_path):
    gateway, path = h2_gateway(nginx, upstream, tmp_path)
    client = H2Client(path)
    stream = client.ask(*NATIVE.request())
    exchange = upstream.take().start()
    frames = START + delta("x") + exception("throttlingException")
    exchange.chunk(frames)
    exchange.end()
    assert client.to_the_end(stream) == (200, frames, True)
    assert gateway.next_log()["stream_status"] == "exception"


@FORMS
def test_an_exception_in_the_first_frame_is_an_error(nginx, upstream, tmp_path, form):
    gateway, path = h2_gateway(nginx, upstream, tmp_path)
    client = H2Client(path)
    stream = client.ask(*form.request())
    exchange = upstream.take().start()
    exchange.chunk(exception("throttlingException", "Slow down."))
    exchange.end()
    assert client.to_the_end(stream) == (429, b'{"message":"Slow down."}', True)
    assert gateway.next_log()["status"] == "429"


@FORMS
def test_a_slow_reader_gets_everything(nginx, upstream, tmp_path, form):
    """The window is opened only when all that fits into it has come."""
    gateway, path = h2_gateway(nginx, upstream, tmp_path)
    client = H2Client(path, window=1000)
    stream = client.ask(*form.request())
    exchange = upstream.take().start()
    frames = [START, *(delta(f"{number:05}" * 20) for number in range(200)), STOP, METADATA]
    exchange.chunk(b"".join(frames))
    exchange.end()
    expected = form.expected(frames)
    for allowed in range(1000, len(expected), 1000):
        assert len(client.until(stream, allowed)) == allowed
        client.allow(stream, 1000)
    assert client.to_the_end(stream) == (200, expected, True)
    assert gateway.next_log()["stream_status"] == "complete"


@pytest.mark.parametrize("how", ["whole", "cut"])
def test_curl(nginx, upstream, tmp_path, how):
    """A client that others wrote sees the same."""
    gateway, path = h2_gateway(nginx, upstream, tmp_path)
    target, body, headers = NATIVE.request()
    command = [shutil.which("curl"), "-sS", "--http2-prior-knowledge", "--unix-socket", path, "-m", "10", "-d", body, f"http://gateway{target}"]
    client = subprocess.Popen(command + ["-N", "-H", "Content-Type: application/json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    exchange = upstream.take().start()
    exchange.chunk(b"".join(WHOLE[:3]))
    out = b""
    if how == "whole":
        exchange.chunk(WHOLE[3])
        exchange.end()
    else:
        # curl throws away what comes in one read with the end of a broken stream: it must have had the frames before.
        out = client.stdout.read(len(b"".join(WHOLE[:3])))
        exchange.close()
    out += client.communicate(timeout=20)[0]
    assert out == b"".join(WHOLE if how == "whole" else WHOLE[:3])
    # 92: "Stream error in the HTTP/2 framing layer"
    assert client.returncode == (0 if how == "whole" else 92)
