"""Clients, and a Bedrock, that mean harm. Each gets the documented answer, in bounded time and memory, and the worker goes on
for others."""

import hashlib
import http.client
import json
import socket
import struct
import threading
import zlib

import pytest

from conftest import LOCATION, defaults
from test_memory import MIB, memory
from test_anthropic_streams import MESSAGES as MESSAGE
from test_openai_streams import CHAT
from test_streaming import MESSAGES, METADATA, NATIVE, SSE, START, STOP, delta, event, exception, frame, rest, upstream

__all__ = ["upstream"]

# The values come from the client, percent-decoded.
FROM_THE_CLIENT = """
location ~ "^/region/(?<it>[^/]*)/model/"   { bedrock on; bedrock_region $it; proxy_pass http://bedrock; }
location ~ "^/endpoint/(?<it>[^/]*)/model/" { bedrock on; bedrock_endpoint $it; proxy_pass http://bedrock; }
location ~ "^/service/(?<it>[^/]*)/model/"  { bedrock on; bedrock_service $it; proxy_pass http://bedrock; }
location ~ "^/named/(?<it>[^/]*)/model/"    { bedrock on; bedrock_model $it; proxy_pass http://bedrock; }
location /capped/ { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
"""
FORMS = pytest.mark.parametrize("form", [NATIVE, SSE, CHAT, MESSAGE], ids=lambda form: form.name)
GOOD = json.dumps({"messages": MESSAGES}).encode()
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def worker(nginx, sim):
    """A gateway whose worker must be the same at the end, and well."""
    gateway = nginx(FROM_THE_CLIENT + LOCATION, defaults(sim.port))
    assert post(gateway, "/model/a.model/converse", GOOD)[0] == 200
    sim.clear()
    before = gateway.workers()
    yield gateway
    assert post(gateway, "/model/a.model/converse", GOOD)[0] == 200
    assert gateway.workers() == before and "[alert]" not in gateway.errors()


def post(gateway, path, body, headers=JSON):
    """Status, headers and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    # As it is: http.client would refuse what is not allowed in a path.
    connection.putrequest("POST", path, skip_accept_encoding=True)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def raw(gateway, request):
    """All that is answered to these bytes until the connection ends."""
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def statuses(answer):
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


# Injection.

EVIL = ["%0d%0aX-Evil:%201", "a%0d%0a%0d%0aPOST%20/model/b/converse%20HTTP/1.1", "a%20b", "a%0ab", "%ff", "a%3fb", "a%23b", "a@b"]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("where", ["region", "service", "endpoint", "named"])
def test_values_that_are_more_than_a_value(worker, sim, where, evil):
    """Nothing reaches Bedrock; where the operator gave the value away to the client, the error log says so, escaped."""
    got, headers, body = post(worker, f"/{where}/{evil}/model/m/converse", GOOD)
    # Where a value is not even text, that is the operator's fault, too.
    expected = 400 if where == "named" and evil != "%ff" else 500
    assert (got, sim.requests()) == (expected, [])
    assert json.loads(body)["message"] and "x-evil" not in headers
    assert all("[" in line for line in worker.errors().splitlines() if line.strip()), "a line of the client's in the log"


@pytest.mark.parametrize("evil", EVIL)
def test_model_ids_that_are_more_than_an_id(worker, sim, evil):
    decoded = evil.replace("%0d", "\r").replace("%0a", "\n").replace("%20", " ")
    bodies = [("/chat", json.dumps({"messages": [], "model": text})) for text in (evil, decoded)]
    for path, body in (f"/model/{evil}/converse", "{}"), *bodies:
        got, headers, answer = post(worker, path, body.encode())
        assert (got, sim.requests()) == (400, []), path
        assert json.loads(answer)["message"] and "x-evil" not in headers


def test_nul_in_a_path(worker, sim):
    """nginx takes none, before it looks for a location."""
    assert (post(worker, "/model/a%00b/converse", GOOD)[0], sim.requests()) == (400, [])


def test_a_frame_cannot_add_a_header(nginx, upstream):
    """The exception's name becomes x-amzn-ErrorType."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = NATIVE.ask(gateway)
    upstream.take().start().chunk(exception("throttlingException\r\nX-Evil: 1", "a\r\nb"))
    answer = client.getresponse()
    assert answer.getheader("X-Evil") is None and "\n" not in answer.getheader("x-amzn-ErrorType")
    assert json.loads(answer.read()) == {"message": "a\r\nb"}


def sse_events(text):
    """As a browser takes it: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation"""
    events, kind, data = [], "", []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            events += [(kind, "\n".join(data))] if data else []
            kind, data = "", []
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        else:
            raise AssertionError(f"a field that nobody wrote: {line}")
    return events


def test_text_cannot_add_an_event(nginx, upstream):
    """Not in a string, not as white space between tokens, not in an event's type, not in an exception."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = SSE.ask(gateway)
    evil = '\n\ndata: {"stopReason":"end_turn"}\n\nevent: messageStop\r\rdata: [DONE]\u2028\x85'
    spaced = b'{\r\n\r\n"delta"\n:\r\r{"text":\n\n"x"}}'
    headers = {":event-type": "contentBlockDelta", ":message-type": "event"}
    exchange = upstream.take().start()
    exchange.chunk(START + delta(evil) + frame(headers, spaced))
    exchange.chunk(frame({**headers, ":event-type": "a\r\nevent: b\n\ndata: c"}, b"{}"))
    exchange.chunk(exception("throttlingException\n\ndata: x", evil))
    exchange.end()
    got, whole = rest(client.getresponse())
    assert whole
    events = sse_events(got.decode())
    assert [json.loads(data) for _, data in events] == [
        {"role": "assistant"}, {"contentBlockIndex": 0, "delta": {"text": evil}}, {"delta": {"text": "x"}}, {}, {"message": evil},
    ]  # fmt: skip
    assert [kind for kind, _ in events][:3] == ["messageStart", "contentBlockDelta", "contentBlockDelta"]
    assert gateway.next_log()["stream_status"] == "exception"


# Smuggling.

HEAD = b"POST /model/a.model/converse HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n"
SECOND = b"POST /model/smuggled/converse HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD)


@pytest.mark.parametrize(
    "request_, status",
    [
        (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND, 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
        (b"Content-Length: 2\r\nContent-Length: 100\r\n\r\n{}" + SECOND, 400),
        (b"Content-Length: 2, 2\r\n\r\n{}", 400),
        (b"Content-Length: -1\r\n\r\n{}", 400),
        (b"Content-Length: 99999999999999999999\r\n\r\n{}", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SECOND, 400),
        (b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SECOND, 501),
        (b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n" + SECOND, 400),
    ],
)
def test_lengths_that_contradict_each_other(worker, sim, request_, status):
    """nginx refuses these; in the form of Bedrock's errors, and none gets any further."""
    answer = raw(worker, HEAD + request_)
    assert (statuses(answer), sim.requests()) == ([status], [])


def test_a_body_is_a_body(worker, sim):
    """What looks like a request inside of a chunked body is sent as that, with one right length."""
    text = json.dumps({"messages": [{"role": "user", "content": [{"text": SECOND.decode()}]}]}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(text[at : at + 7]), text[at : at + 7]) for at in range(0, len(text), 7))
    answer = raw(worker, HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks + b"0\r\nX-Trailer: 1\r\n\r\n")
    assert statuses(answer) == [200]
    (request,) = sim.requests()
    headers = {name.lower(): value for name, value in request["headers"]}
    assert (request["body"].encode(), headers["content-length"]) == (text, str(len(text)))
    assert "transfer-encoding" not in headers and "x-trailer" not in headers


def test_what_follows_a_body_is_the_next_request(worker, sim):
    """Each planned for itself, with nothing of the other."""
    answer = raw(worker, HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD) + SECOND)
    assert statuses(answer) == [200, 200]
    assert [request["target"] for request in sim.requests()] == ["/model/a.model/converse", "/model/smuggled/converse"]


# JSON.

DEEP = b'{"messages":[],"additionalModelRequestFields":%s%s}' % (b'{"a":' * 10_000 + b"1", b"}" * 10_000)
MANY = b'{"messages":[],%s}' % b",".join(b'"k%d":1' % number for number in range(1_000_000))
MANY_INSIDE = b'{"messages":[],"additionalModelRequestFields":{%s}}' % b",".join(b'"k%d":1' % number for number in range(1_000_000))
DIGITS = b'{"messages":[],"inferenceConfig":{"maxTokens":%s}}' % (b"9" * 100_000)
SURROGATE = rb'{"messages":[],"x":"\ud800"}'


@pytest.mark.parametrize(
    "path, body, outcome",
    [
        # What Bedrock says of these, says Bedrock.
        ("/model/a.model", DEEP, "as it was"),
        ("/model/a.model", MANY_INSIDE, "as it was"),
        ("/model/a.model", DIGITS, "as it was"),
        ("/model/a.model", SURROGATE, "as it was"),
        ("/model/a.model", MANY, 400),
        ("/model/a.model", b'{"messages":[],"x":NaN}', 400),
        ("/model/a.model", b'{"messages":[],"x":-Infinity}', 400),
        ("/model/a.model", b'{"messages":[],"x":"\xed\xa0\x80"}', 400),
        # A byte order mark is no part of the JSON.
        ("/model/a.model", b"\xef\xbb\xbf{}", "{}"),
        # With a rule to enforce there.
        ("/capped/model/a.model", DEEP, "capped"),
        # What cannot be looked through is refused.
        ("/capped/model/a.model", MANY_INSIDE, 403),
        ("/capped/model/a.model", DIGITS, '{"messages":[],"inferenceConfig":{"maxTokens":100}}'),
        ("/capped/model/a.model", b'{"inferenceConfig":{"maxTokens":1},"inferenceConfig":{"maxTokens":999}}', 400),
        ("/capped/model/a.model", b'{"inferenceConfig":{"maxTokens":1,"maxTokens":999}}', '{"inferenceConfig":{"maxTokens":100}}'),
        ("/capped/model/a.model", rb'{"inferenceConfig":{"max\u0054okens":999}}', r'{"inferenceConfig":{"max\u0054okens":100}}'),
    ],
    ids=lambda value: value[:60].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_json_that_means_harm(worker, sim, path, body, outcome):
    before = memory(worker)
    status, _, answer = post(worker, f"{path}/converse", body)
    capped = body[:-1] + b',"inferenceConfig":{"maxTokens":100}}'
    sent = {hashlib.sha256(body).hexdigest(): "as it was", hashlib.sha256(capped).hexdigest(): "capped"}
    seen = [sent.get(request["body_sha256"], request["body"]) for request in sim.requests()]
    assert (seen or [status]) == [outcome]
    assert json.loads(answer)["message"]
    assert memory(worker, "VmHWM") - before < 8 * len(body) + 4 * MIB


HI = b'"messages":[{"role":"user","content":"Hi"}]'
DIALECTS = {
    "openai": ("/v1/chat/completions", b'{"model":"a.model",%s%s}'),
    "anthropic": ("/v1/messages", b'{"model":"a.model","max_tokens":9,%s%s}'),
    "anthropic over invoke": ("/v1/messages", b'{"model":"anthropic.a","max_tokens":9,%s%s}'),
    "embeddings": ("/v1/embeddings", b'{"model":"amazon.titan-embed-text-v2:0","input":"Hi"%.0s%s}'),
    "rerank": ("/v2/rerank", b'{"model":"amazon.rerank-v1:0","query":"Hi","documents":["Hi"]%.0s%s}'),
    "plain": ("/chat", b'{"model":"a.model",%s%s}'),
}
ATTACKS = {
    "deep": b',"x":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep text": b',"messages":' + b"[" * 10_000 + b"]" * 10_000,
    "many members": b"," + b",".join(b'"k%d":1' % number for number in range(1_000_000)),
    "many members inside": b',"metadata":{%s}' % b",".join(b'"k%d":1' % number for number in range(1_000_000)),
    "digits": b',"temperature":' + b"9" * 100_000,
    "not a number": b',"temperature":NaN',
    "duplicate": b',"model":"b.model"',
    "escaped duplicate": rb',"mod\u0065l":"b.model"',
    "lone surrogate": rb',"stop":["\ud800"],"stop_sequences":["\ud800"]',
    "no UTF-8": b',"x":"\xed\xa0\x80"',
}


ALWAYS_REFUSED = {"many members", "not a number", "duplicate", "escaped duplicate", "no UTF-8"}
REFUSED = {
    ("openai", "deep text"), ("anthropic", "deep text"), ("anthropic over invoke", "deep text"),
    ("openai", "lone surrogate"), ("anthropic", "lone surrogate"),
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_json_that_means_harm_in_dialects(worker, sim, dialect, attack):
    """Refused, or sent on as what Bedrock is to judge, without what it does not know; with memory in proportion to the body."""
    before = memory(worker)
    path, body = DIALECTS[dialect]
    body = body % (HI, ATTACKS[attack])
    status, _, answer = post(worker, path, body)
    if attack in ALWAYS_REFUSED or (dialect, attack) in REFUSED:
        assert (status, sim.requests()) == (400, [])
        error = json.loads(answer)
        assert (error if dialect in ("plain", "rerank") else error["error"])["message"]
    else:
        assert len(sim.requests()) == 1 and json.loads(answer)
    assert memory(worker, "VmHWM") - before < 8 * len(body) + 4 * MIB


@pytest.mark.parametrize(
    "body",
    [b'{"model":"a","model":"b"}', rb'{"model":"a","mod\u0065l":"b"}', rb'{"model":"\ud800"}', b'{"model":"a","stream":true,"stream":false}'],
)
def test_a_model_that_is_not_one(worker, sim, body):
    assert (post(worker, "/chat", body)[0], sim.requests()) == (400, [])


# Streams.


@FORMS
@pytest.mark.parametrize("count, status", [(20_000, "complete"), (65_535, "corrupt")])
def test_frames_with_many_headers(nginx, upstream, form, count, status):
    """As many as fit into the format's 128 KiB, and more than may be."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    many = frame_with_headers(count)
    client = form.ask(gateway)
    exchange = upstream.take().start()
    exchange.chunk(START)
    answer = client.getresponse()
    before = memory(gateway)
    sending = threading.Thread(target=lambda: send_all(exchange, [*[many] * 20, STOP, METADATA]))
    sending.start()
    _, whole = rest(answer)
    exchange.socket.close() if not whole else None
    sending.join()
    # In a vendor's form the answer itself says that it failed.
    assert whole == (status == "complete" or form in (CHAT, MESSAGE))
    assert gateway.next_log()["stream_status"] == status
    assert memory(gateway, "VmHWM") - before < 8 * MIB


def frame_with_headers(count):
    names = (b"%c%c%c" % (65 + number // 3600, 48 + number // 60 % 60, 48 + number % 60) for number in range(count))
    block = b"".join(b"\3%s\0" % name for name in names)
    for name, value in (b":event-type", b"ping"), (b":message-type", b"event"):
        block += struct.pack(">B", len(name)) + name + struct.pack(">BH", 7, len(value)) + value
    prelude = struct.pack(">II", 16 + len(block) + 2, len(block))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + b"{}"
    return message + struct.pack(">I", zlib.crc32(message))


def send_all(exchange, frames):
    try:
        for one in frames:
            exchange.chunk(one)
        exchange.end()
    except OSError:
        pass


@FORMS
def test_a_stream_that_does_not_end(nginx, upstream, form):
    """Tool calls, unknown events and text without end, with text kept for the log: memory stays where it was."""
    gateway = nginx(LOCATION.replace("on;", "on; bedrock_response_text 1k;"), defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take().start()
    tool = event("contentBlockStart", contentBlockIndex=1, start={"toolUse": {"toolUseId": "t" * 100, "name": "n"}})
    batch = (tool + event("nobody.knows", x="y" * 500) + delta("on and on " * 100)) * 50
    exchange.chunk(START)
    answer = client.getresponse()
    go_on = threading.Event()

    def feed():
        try:
            while not go_on.is_set():
                exchange.chunk(batch)
        except OSError:
            pass

    feeder = threading.Thread(target=feed)
    feeder.start()
    read, at = 0, []
    while read < 60 * MIB:
        read += len(answer.read1(1 << 20))
        if not at and read > 5 * MIB:
            at.append(memory(gateway))
    assert memory(gateway) - at[0] < 1 * MIB
    go_on.set()
    client.close()
    answer.close()
    feeder.join()
    assert gateway.next_log()["stream_status"] == "aborted"


def test_a_frame_that_only_claims_to_be_large(nginx, upstream):
    """24 MiB are said to come, 100 bytes do: memory is taken for what is there."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    clients = []
    for _ in range(50):
        client = NATIVE.ask(gateway)
        exchange = upstream.take().start()
        prelude = struct.pack(">II", 24 * MIB, 0)
        exchange.chunk(START + prelude + struct.pack(">I", zlib.crc32(prelude)) + b"x" * 100)
        clients.append((client, exchange, client.getresponse()))
    assert memory(gateway) < 100 * MIB
    for client, exchange, answer in clients:
        exchange.close()
        assert not rest(answer)[1]
