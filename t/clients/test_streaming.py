"""Streams as they reach a client: byte for byte, at once, and never whole when they are not. The upstream is played by the
test itself, step by step, so that "before the next one was sent" is a fact and not a wait.

Upstream, Exchange, ask() and the frames below serve the other tests about streams too."""

import base64
import http.client
import json
import re
import socket
import struct
import zlib
from pathlib import Path

import pytest

from conftest import LOCATION, ROOT, BedrockSim, defaults, eventually

RECORDINGS = ROOT / "fixtures/eventstream"
MODEL = "a.model"
REQUEST_ID = "11111111-2222-3333-4444-555555555555"
EVENT_STREAM = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
    f"x-amzn-RequestId: {REQUEST_ID}\r\n"
)
SHORT_SILENCE = LOCATION.replace("}", "proxy_read_timeout 1s; }")


class Upstream:
    """Bedrock, played by the test."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.port = self._listener.getsockname()[1]

    def take(self):
        """The next connection, whose request has been read."""
        return Exchange(self._listener.accept()[0])

    def close(self):
        self._listener.close()


class Exchange:
    """A request that came to the upstream, and its answer, which leaves as the test says."""

    def __init__(self, connection):
        self.socket = connection
        connection.settimeout(10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = connection.makefile("rb")
        self.next()

    def next(self):
        """Reads a request."""
        self.request_line = self._file.readline().decode().rstrip()
        self.headers = http.client.parse_headers(self._file)
        self.body = self._file.read(int(self.headers.get("Content-Length", 0)))
        return self

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def start(self, headers="Transfer-Encoding: chunked\r\n"):
        self.send(EVENT_STREAM + headers + "\r\n")
        return self

    def chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.send(b"0\r\n\r\n")

    def close(self):
        self._file.close()
        self.socket.close()

    def reset(self):
        linger(self.socket)
        self.close()

    def is_read(self):
        """Whether nginx has read all that was sent."""
        return is_read(self.socket)

    def is_gone(self):
        """Waits until nginx closes the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def is_read(connection):
    """Whether nginx has read all that was sent to it: nothing waits in the receive queue of its end."""
    here, there = connection.getsockname()[1], connection.getpeername()[1]
    ports = f":{there:04X} ", f":{here:04X} "
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, _, queues = line.split()[1:5]
        if (local + " ").endswith(ports[0]) and (remote + " ").endswith(ports[1]):
            return queues.endswith(":00000000")
    return True


@pytest.fixture
def upstream():
    one = Upstream()
    yield one
    one.close()


def linger(connection):
    """Makes close() send RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]


class Form:
    """How a client asks for a stream."""

    def __init__(self, name):
        self.name = name

    def ask(self, gateway, model=MODEL):
        """Sends the request; the answer is not waited for."""
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
        path, body, headers = self.request(model)
        connection.request("POST", path, body, headers)
        return connection

    def request(self, model=MODEL):
        headers = {"Content-Type": "application/json"}
        if self.name != "sse":
            operation = {"native": "converse-stream", "whole": "converse"}[self.name]
            return f"/model/{model}/{operation}", json.dumps({"messages": MESSAGES}), headers
        headers["Accept"] = "text/event-stream"
        return "/chat", json.dumps({"model": model, "stream": True, "messages": MESSAGES}), headers

    def expected(self, frames):
        """What the client gets for these frames."""
        return b"".join(frames) if self.name == "native" else b"".join(map(as_sse, frames))


# A native stream, the plain form's as server-sent events, and an answer that is no stream.
NATIVE, SSE, WHOLE_ANSWER = Form("native"), Form("sse"), Form("whole")
FORMS = pytest.mark.parametrize("form", [NATIVE, SSE], ids=lambda form: form.name)


def read(response, size):
    """So many bytes, as they come."""
    got = b""
    while len(got) < size:
        piece = response.read1(size - len(got))
        assert piece, f"the answer ended after {got!r}"
        got += piece
    return got


def rest(response):
    """What is still to come, and whether the answer ended as whole ones do."""
    got = bytearray()
    try:
        while piece := response.read1(65536):
            got += piece
        whole = not response.length
    except (http.client.IncompleteRead, ConnectionResetError):
        whole = False
    response.close()
    return bytes(got), whole


def recording(name):
    return (RECORDINGS / f"{name}.bin").read_bytes()


def frames_of(data):
    """A recording's frames."""
    frames = []
    while data:
        (length,) = struct.unpack_from(">I", data)
        frames.append(data[:length])
        data = data[length:]
    return frames


def frame(headers, payload):
    head = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))


def event(kind, **payload):
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload).encode())


def exception(name, message="No."):
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())


def chunk(**message):
    """One of Anthropic's events, as InvokeModelWithResponseStream has it."""
    return event("chunk", bytes=base64.b64encode(json.dumps(message).encode()).decode())


def delta(text):
    return event("contentBlockDelta", contentBlockIndex=0, delta={"text": text})


START = event("messageStart", role="assistant")
STOP = event("messageStop", stopReason="end_turn")
USAGE = {"inputTokens": 7, "outputTokens": 9, "totalTokens": 16}
METADATA = event("metadata", usage=USAGE, metrics={"latencyMs": 5})
SECRET_TEXT = "what nobody may read in a log"
SECRET_DELTA = delta(SECRET_TEXT)


def as_sse(one):
    """A frame as a server-sent event."""
    total, headers = struct.unpack_from(">II", one)
    kind = re.search(rb":(?:event|exception)-type\x07..([A-Za-z]+)", one[12 : 12 + headers], re.S)[1]
    return b"event: " + kind + b"\ndata: " + one[12 + headers : total - 4] + b"\n\n"


def complaints(gateway):
    """The error log's lines about streams."""
    return [line for line in gateway.errors().splitlines() if "bedrock: stream " in line]


def split(data, cuts):
    """data cut at these offsets."""
    edges = [0, *cuts, len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:]) if b > a]


def starts(data):
    """Where each frame begins."""
    at, offsets = 0, []
    for one in frames_of(data):
        offsets.append(at)
        at += len(one)
    return offsets


def passes(data, sent):
    """How much of what was sent goes on at once: all, but what an exception says while it is not whole. It may be about the gateway."""
    at = max(start for start in starts(data) if start < sent)
    (total,) = struct.unpack_from(">I", data, at)
    is_exception = data[at + 13 :].startswith(b":exception-type")
    return at if is_exception and at + 12 < sent < at + total else sent


SPLITS = {
    "byte-by-byte": lambda data: split(data, range(1, len(data))),
    "in-each-prelude": lambda data: split(data, [at + 5 for at in starts(data)]),
    "after-each-prelude": lambda data: split(data, [at + 12 for at in starts(data)]),
    "in-each-header": lambda data: split(data, [at + 21 for at in starts(data)]),
    "before-each-last-byte": lambda data: split(data, [at - 1 for at in starts(data)[1:]]),
    "in-one-write": lambda data: [data],
    "two-and-a-half-frames": lambda data: split(data, [at + 40 for at in starts(data)[2::3]]),
}


@pytest.mark.parametrize("pieces", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize(
    "name, operation, status, tokens",
    [
        ("s01_converse_text", "converse-stream", "complete", ("13", "5")),
        ("s02_converse_tools", "converse-stream", "complete", ("400", "60")),
        ("s03_exception_mid", "converse-stream", "exception", (None, None)),
        ("s04_invoke_anthropic", "invoke-with-response-stream", "complete", ("10", "3")),
    ],
)
def test_recordings_pass_unchanged_however_they_are_cut(nginx, upstream, pieces, name, operation, status, tokens):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    client.request("POST", f"/model/{MODEL}/{operation}", "{}" if "invoke" in operation else json.dumps({"messages": MESSAGES}))
    exchange = upstream.take().start()
    data = recording(name)
    first = len(frames_of(data)[0])
    sent, got, answer = 0, b"", None
    for piece in pieces(data):
        exchange.chunk(piece)
        sent += len(piece)
        if sent < first:
            # Nothing comes out yet, so this is how to know that the next piece will be read by itself.
            assert eventually(exchange.is_read)
            continue
        answer = answer or client.getresponse()
        if (passing := passes(data, sent)) > len(got):
            got += read(answer, passing - len(got))
        assert passing == sent or eventually(exchange.is_read)
    exchange.end()
    assert rest(answer) == (b"", True)
    assert got == data
    assert answer.getheader("Content-Type") == "application/vnd.amazon.eventstream"
    assert answer.getheader("x-amzn-RequestId") == REQUEST_ID
    log = gateway.next_log()
    assert (log["stream_status"], log["input_tokens"], log["output_tokens"]) == (status, *tokens)


@pytest.fixture(scope="module")
def open_sim(tmp_path_factory):
    """A stand-in that needs no signature, so that it can be asked directly too."""
    sim = BedrockSim(tmp_path_factory.mktemp("open-sim"), "--no-auth")
    yield sim
    sim.close()


@pytest.mark.parametrize(
    "model",
    "sim.text sim.unicode.split-1 sim.tools.split-7 sim.reasoning.glue sim.cached sim.guardrail sim.no-usage sim.no-metadata "
    "sim.long.frames-2000.glue sim.big.kib-2000 sim.unknown-event sim.exception.at-4 sim.error-frame.at-2 sim.text.length".split(),
)
def test_a_client_gets_what_it_would_get_without_the_gateway(nginx, open_sim, model):
    gateway = nginx(LOCATION, defaults(open_sim.port))
    through = NATIVE.ask(gateway, model).getresponse()
    direct = NATIVE.ask(open_sim, model).getresponse()
    assert through.status == direct.status == 200
    assert rest(through) == rest(direct)


@FORMS
@pytest.mark.parametrize("buffering", ["off", "on"])
def test_each_event_leaves_before_the_next_one_is_sent(nginx, upstream, form, buffering):
    server = f"location / {{ bedrock on; proxy_pass http://bedrock; proxy_buffering {buffering}; }}"
    gateway = nginx(server, defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take().start()
    frames = frames_of(recording("s01_converse_text"))
    exchange.chunk(frames[0])
    answer = client.getresponse()
    assert read(answer, len(form.expected(frames[:1]))) == form.expected(frames[:1])
    for one in frames[1:]:
        exchange.chunk(one)
        assert read(answer, len(form.expected([one]))) == form.expected([one])
    exchange.end()
    assert rest(answer) == (b"", True)


def test_a_part_of_a_frame_leaves_before_the_rest_is_sent(nginx, upstream):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = NATIVE.ask(gateway)
    exchange = upstream.take().start()
    exchange.chunk(START + SECRET_DELTA[:30])
    answer = client.getresponse()
    assert read(answer, len(START) + 30) == START + SECRET_DELTA[:30]
    exchange.chunk(SECRET_DELTA[30:] + STOP + METADATA)
    exchange.end()
    assert rest(answer) == (SECRET_DELTA[30:] + STOP + METADATA, True)


def flipped(one, at):
    """A frame with one wrong bit."""
    return one[:at] + bytes([one[at] ^ 1]) + one[at + 1 :]


def closes(exchange):
    exchange.close()


def resets(exchange):
    assert eventually(exchange.is_read)
    exchange.reset()


def ends(exchange):
    exchange.end()


def says_nothing(exchange):
    assert exchange.is_gone()


HALF = SECRET_DELTA[: len(SECRET_DELTA) // 2]
FAULTS = {
    "clean end in a frame": (HALF, ends, "truncated"),
    "clean end between frames": (b"", ends, "truncated"),
    "close in a frame": (HALF, closes, "truncated"),
    "close between frames": (b"", closes, "truncated"),
    "reset in a frame": (HALF, resets, "truncated"),
    "silence in a frame": (HALF, says_nothing, "truncated"),
    "silence between frames": (b"", says_nothing, "truncated"),
    "wrong message checksum": (flipped(SECRET_DELTA, -1), says_nothing, "corrupt"),
    "flipped bit in the payload": (flipped(SECRET_DELTA, -20), says_nothing, "corrupt"),
    "flipped bit in a header": (flipped(SECRET_DELTA, 20), says_nothing, "corrupt"),
    "wrong prelude checksum": (flipped(SECRET_DELTA, 8), says_nothing, "corrupt"),
    "a length of 4 GiB": (struct.pack(">III", 2**32 - 1, 0, zlib.crc32(struct.pack(">II", 2**32 - 1, 0))), says_nothing, "corrupt"),
    "not a stream at all": (b"<html>" + SECRET_TEXT.encode(), says_nothing, "corrupt"),
}


@FORMS
@pytest.mark.parametrize("bad, then, status", FAULTS.values(), ids=FAULTS)
def test_a_broken_stream_never_ends_well(nginx, upstream, form, bad, then, status):
    """What was intact arrives, then the connection ends without the final chunk; one line in the error log says why."""
    gateway = nginx(SHORT_SILENCE, defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take().start()
    intact = [START, SECRET_DELTA]
    exchange.chunk(b"".join(intact))
    answer = client.getresponse()
    assert read(answer, len(form.expected(intact))) == form.expected(intact)
    if bad:
        exchange.chunk(bad)
    then(exchange)
    more, whole = rest(answer)
    assert not whole
    if form is SSE:
        assert re.fullmatch(rb'event: internalServerException\ndata: \{"message":"[^"]+"\}\n\n', more)
    else:
        assert more == (bad if status == "truncated" else b"")
    log = gateway.next_log()
    assert (log["status"], log["stream_status"]) == ("200", status)
    assert (log["input_tokens"], log["output_tokens"], log["total_tokens"], log["stop_reason"]) == (None,) * 4
    (line,) = complaints(gateway)
    seen = sum(map(len, intact)) + len(bad)
    assert f"stream {status}" in line and f"model {MODEL}" in line
    assert f"request id {REQUEST_ID}" in line and f"{seen} bytes" in line
    assert SECRET_TEXT not in gateway.errors()


@FORMS
def test_frames_that_arrive_with_a_damaged_one_are_delivered(nginx, upstream, form):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take().start()
    intact = [START, delta("one"), delta("two")]
    exchange.chunk(b"".join(intact) + flipped(delta("three"), -1) + delta("four"))
    more, whole = rest(client.getresponse())
    assert not whole
    assert more.startswith(form.expected(intact)) and b"three" not in more and b"four" not in more
    assert exchange.is_gone()


@FORMS
def test_an_exception_frame_is_a_proper_end(nginx, upstream, form):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take().start()
    frames = [START, SECRET_DELTA, exception("modelStreamErrorException", SECRET_TEXT)]
    exchange.chunk(b"".join(frames))
    exchange.end()
    answer = client.getresponse()
    assert answer.status == 200
    more, whole = rest(answer)
    assert whole
    if form is NATIVE:
        assert more == b"".join(frames)
    else:
        assert more.startswith(form.expected(frames[:2]) + b"event: modelStreamErrorException\n")
    log = gateway.next_log()
    assert (log["stream_status"], log["exception"], log["output_tokens"]) == ("exception", "modelStreamErrorException", None)
    (line,) = complaints(gateway)
    assert "modelStreamErrorException" in line and SECRET_TEXT not in gateway.errors()


@FORMS
def test_the_content_is_whole_without_metadata(nginx, upstream, form):
    """After messageStop only the usage is missing: the client's answer ends well, the log says what is not known."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take().start()
    exchange.chunk(START + SECRET_DELTA + STOP)
    exchange.end()
    assert rest(client.getresponse()) == (form.expected([START, SECRET_DELTA, STOP]), True)
    log = gateway.next_log()
    assert (log["stream_status"], log["stop_reason"]) == ("truncated", "end_turn")
    assert (log["input_tokens"], log["output_tokens"], log["total_tokens"]) == (None, None, None)


WHOLE = [START, delta("one"), STOP, METADATA]


@FORMS
@pytest.mark.parametrize("framing", ["content-length", "close-delimited"])
def test_streams_that_are_not_chunked(nginx, upstream, form, framing):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take()
    exchange.start({"content-length": f"Content-Length: {sum(map(len, WHOLE))}\r\n", "close-delimited": "Connection: close\r\n"}[framing])
    exchange.send(b"".join(WHOLE))
    if framing == "close-delimited":
        exchange.close()
    assert rest(client.getresponse()) == (form.expected(WHOLE), True)
    assert gateway.next_log()["stream_status"] == "complete"


@FORMS
@pytest.mark.parametrize("framing", ["content-length", "close-delimited"])
def test_streams_that_are_not_chunked_and_are_cut(nginx, upstream, form, framing):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take()
    exchange.start({"content-length": "Content-Length: 100000\r\n", "close-delimited": "Connection: close\r\n"}[framing])
    exchange.send(b"".join(WHOLE[:2]))
    exchange.close()
    more, whole = rest(client.getresponse())
    assert more.startswith(form.expected(WHOLE[:2])) and not whole
    assert gateway.next_log()["stream_status"] == "truncated"
    assert len(complaints(gateway)) == 1


@pytest.mark.parametrize("size, passes", [("64k", True), ("32k", False)])
def test_the_largest_frame_is_a_setting(nginx, upstream, size, passes):
    server = f"location / {{ bedrock on; bedrock_max_frame_size {size}; proxy_pass http://bedrock; }}"
    gateway = nginx(server, defaults(upstream.port))
    client = NATIVE.ask(gateway)
    exchange = upstream.take().start()
    large = delta("x" * 50_000)
    exchange.chunk(START)
    answer = client.getresponse()
    assert read(answer, len(START)) == START
    exchange.chunk(large[:100])
    if passes:
        exchange.chunk(large[100:] + STOP + METADATA)
        exchange.end()
        assert rest(answer) == (large + STOP + METADATA, True)
        return
    # The prelude says how long the frame will be: nothing more is waited for.
    assert rest(answer) == (b"", False)
    assert gateway.next_log()["stream_status"] == "corrupt"


def test_a_connection_serves_stream_after_stream(nginx, upstream):
    """Nothing of one stays for the next, and the upstream's connection is kept."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    exchange = None
    for number in range(1, 4):
        path, body, headers = NATIVE.request(f"model.{number}")
        client.request("POST", path, body, headers)
        exchange = exchange.next() if exchange else upstream.take()
        usage = event("metadata", usage={"inputTokens": number, "outputTokens": 1, "totalTokens": 1}, metrics={"latencyMs": 1})
        exchange.start()
        exchange.chunk(START + STOP + usage)
        exchange.end()
        assert rest(client.getresponse()) == (START + STOP + usage, True)
        log = gateway.next_log()
        assert (log["model"], log["input_tokens"], log["stream_status"]) == (f"model.{number}", str(number), "complete")


@FORMS
def test_a_connection_goes_on_after_an_exception_that_came_first(nginx, upstream, form):
    """The answer is whole then, whatever else the upstream does."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = form.ask(gateway)
    first = upstream.take().start()
    first.chunk(exception("throttlingException"))
    answer = client.getresponse()
    assert answer.status == 429 and answer.read()
    client.request("POST", *form.request())
    second = upstream.take().start()
    assert first.is_gone()
    second.chunk(b"".join(WHOLE))
    second.end()
    assert rest(client.getresponse()) == (form.expected(WHOLE), True)
    assert [gateway.next_log()["stream_status"] for _ in range(2)] == ["exception", "complete"]
