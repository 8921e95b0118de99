"""bedrock_ping: a stream of the gateway's own form is never silent for long; native frames stay what Bedrock sends."""

import http.client
import threading

import anthropic
import pytest

from conftest import defaults, openai_client
from test_http2 import H2Client
from test_streaming import METADATA, NATIVE, SSE, START, STOP, WHOLE_ANSWER, chunk, delta, exception, rest, upstream

__all__ = ["upstream"]

LOCATION = """location / {{ bedrock on; {} proxy_pass http://bedrock; }}
    location /witness/ {{ bedrock on; bedrock_ping 100ms; proxy_pass http://bedrock; }}"""
SOON = "bedrock_ping 100ms;"
CHAT = '{"model":"a.model","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}'
COMMENT, EVENT = b":\n\n", b'event: ping\ndata: {"type":"ping"}\n\n'
FORMS = {
    "openai": ("/v1/chat/completions", CHAT, COMMENT),
    "anthropic": ("/v1/messages", CHAT, EVENT),
    "anthropic over invoke": ("/v1/messages", CHAT.replace("a.model", "anthropic.claude-3-haiku-20240307-v1:0"), EVENT),
    "plain": ("/chat", CHAT.replace(',"max_tokens":9', "").replace('"Hi"', '[{"text":"Hi"}]'), COMMENT),
}
EACH = pytest.mark.parametrize("path, body, ping", FORMS.values(), ids=FORMS)


def events(path, body):
    """The beginning of an answer, and its end."""
    if "anthropic" in body:
        start = chunk(type="message_start", message={"id": "m", "type": "message", "role": "assistant", "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}})
        return start, chunk(type="message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9}) + chunk(type="message_stop")
    return START + delta("hi"), STOP + METADATA


def ask(gateway, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("POST", path, body, {"Content-Type": "application/json", "Accept": "text/event-stream"})
    return connection


def silence(gateway, upstream):
    """Returns when a stream that began after this call has been silent for so long that it had two pings."""
    client = ask(gateway, "/witness/v1/chat/completions", CHAT)
    exchange = upstream.take().start()
    answer = client.getresponse()
    until(answer, COMMENT * 2)
    answer.close()
    client.close()
    exchange.is_gone()
    gateway.next_log()


def until(answer, what):
    got = b""
    while not got.endswith(what):
        piece = answer.read1(65536)
        assert piece, got
        got += piece
    return got


@EACH
def test_before_the_first_event_and_between_events(nginx, upstream, path, body, ping):
    gateway = nginx(LOCATION.format(SOON), defaults(upstream.port))
    client = ask(gateway, path, body)
    exchange = upstream.take().start()
    answer = client.getresponse()
    assert answer.status == 200 and answer.getheader("Content-Type").startswith("text/event-stream")
    assert until(answer, ping * 2).startswith(ping)
    start, end = events(path, body)
    exchange.chunk(start)
    got = until(answer, ping)
    assert b"data: " in got.removesuffix(ping)
    exchange.chunk(end)
    exchange.end()
    got, whole = rest(answer)
    assert whole and (b"[DONE]" in got or b"message_stop" in got or b"metadata" in got)
    log = gateway.next_log()
    assert (log["stream_status"], log["input_tokens"], log["output_tokens"]) == ("complete", "7", "9")


@EACH
def test_an_exception_after_a_ping_is_an_event(nginx, upstream, path, body, ping):
    gateway = nginx(LOCATION.format(SOON + "proxy_intercept_errors on; error_page 429 = @other;") + "location @other { return 503; }", defaults(upstream.port))
    client = ask(gateway, path, body)
    exchange = upstream.take().start()
    answer = client.getresponse()
    assert answer.status == 200
    until(answer, ping)
    # The upstream stays open: the exception ends it.
    exchange.chunk(exception("throttlingException", "Too many."))
    if path == "/chat":
        exchange.end()
    got = rest(answer)[0]
    assert b"Too many." in got and b"[DONE]" not in got and b"message_stop" not in got
    log = gateway.next_log()
    assert (log["status"], log["stream_status"], log["exception"]) == ("200", "exception", "throttlingException")


@EACH
def test_without_silence_there_is_none(nginx, upstream, path, body, ping):
    gateway = nginx(LOCATION.format(""), defaults(upstream.port))
    client = ask(gateway, path, body)
    exchange = upstream.take().start()
    start, end = events(path, body)
    exchange.chunk(start + end)
    exchange.end()
    got, whole = rest(client.getresponse())
    # As Anthropic's own streams, one of Converse begins with a ping.
    own = 1 if path == "/v1/messages" and "anthropic" not in body else 0
    assert whole and got.count(ping) == own


@pytest.mark.parametrize("form", [NATIVE, WHOLE_ANSWER], ids=lambda form: form.name)
def test_never_natively(nginx, upstream, form):
    gateway = nginx(LOCATION.format(SOON), defaults(upstream.port))
    client = form.ask(gateway)
    exchange = upstream.take()
    if form is NATIVE:
        exchange.start().chunk(START)
        answer = client.getresponse()
        silence(gateway, upstream)
        exchange.chunk(STOP + METADATA)
        exchange.end()
        assert rest(answer) == (START + STOP + METADATA, True)
    else:
        silence(gateway, upstream)
        text = '{"stopReason":"end_turn"}'
        exchange.send(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}")
        assert rest(client.getresponse()) == (text.encode(), True)


def test_off(nginx, upstream):
    gateway = nginx(LOCATION.format("bedrock_ping off;"), "bedrock_ping 100ms;" + defaults(upstream.port))
    client = ask(gateway, *FORMS["openai"][:2])
    exchange = upstream.take().start()
    exchange.chunk(START + delta("hi"))
    answer = client.getresponse()
    answer.read1(1)
    silence(gateway, upstream)
    exchange.chunk(STOP + METADATA)
    exchange.end()
    assert COMMENT not in rest(answer)[0].split(b"data: [DONE]")[0].replace(b"\n\n:", b"")


@EACH
@pytest.mark.parametrize("directives", ["", "bedrock_client_abort drain;"])
def test_a_client_that_leaves_in_silence(nginx, upstream, path, body, ping, directives):
    gateway = nginx(LOCATION.format(SOON + directives), defaults(upstream.port))
    client = ask(gateway, path, body)
    exchange = upstream.take().start()
    answer = client.getresponse()
    until(answer, ping)
    client.close()
    answer.close()
    if directives:
        silence(gateway, upstream)
        start, end = events(path, body)
        exchange.chunk(start + end)
        exchange.end()
    else:
        exchange.is_gone()
    log = gateway.next_log()
    assert (log["stream_status"], log["output_tokens"]) == (("drained", "9") if directives else ("aborted", None))
    assert "[alert]" not in gateway.errors()


def test_http2(nginx, upstream, tmp_path):
    path = tmp_path / "h2"
    gateway = nginx(f"listen unix:{path} http2; " + LOCATION.format(SOON), defaults(upstream.port))
    client = H2Client(path)
    stream = client.ask(*FORMS["anthropic"][:2], {"Content-Type": "application/json"})
    exchange = upstream.take().start()
    assert client.until(stream, 2 * len(EVENT))[: 2 * len(EVENT)] == 2 * EVENT
    exchange.chunk(START + delta("hi") + STOP + METADATA)
    exchange.end()
    status, got, whole = client.to_the_end(stream)
    assert (status, whole) == (200, True) and b"message_stop" in got
    assert gateway.next_log()["stream_status"] == "complete"


@pytest.mark.parametrize("sdk", ["anthropic", "openai"])
def test_real_sdks_pass_over_them(nginx, upstream, sdk):
    gateway = nginx(LOCATION.format(SOON), defaults(upstream.port))

    def answer():
        exchange = upstream.take().start()
        silence(gateway, upstream)
        exchange.chunk(START + delta("hi"))
        silence(gateway, upstream)
        exchange.chunk(STOP + METADATA)
        exchange.end()

    bedrock = threading.Thread(target=answer)
    bedrock.start()
    messages = [{"role": "user", "content": "Hi"}]
    if sdk == "anthropic":
        client = anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0)
        with client.messages.stream(model="a.model", max_tokens=9, messages=messages) as stream:
            text = stream.get_final_text()
    else:
        chunks = openai_client(gateway.url + "/v1").chat.completions.create(model="a.model", stream=True, messages=messages)
        text = "".join(piece.choices[0].delta.content or "" for piece in chunks if piece.choices)
    bedrock.join()
    assert text == "hi"
