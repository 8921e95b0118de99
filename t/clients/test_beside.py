"""Other modules, where it matters what happens when: mirror, gzip, error_page while the first frame is awaited."""

import json
import zlib

import pytest

from conftest import KEY_ID, defaults, eventually
from test_streaming import NATIVE, SSE, START, WHOLE, WHOLE_ANSWER, Upstream, delta, exception, linger, read, rest, split, upstream

__all__ = ["upstream"]


@pytest.fixture
def other():
    """Another upstream."""
    one = Upstream()
    yield one
    one.close()


def test_a_mirror_gets_what_the_client_sent(nginx, upstream, other):
    """Its headers and its body, before they were changed for Bedrock; and no signature."""
    server = f"""
    location / {{ bedrock on; bedrock_max_output_tokens 10; mirror /copy; proxy_pass http://bedrock; }}
    location = /copy {{ internal; bedrock off; proxy_set_header Host copy; proxy_pass http://127.0.0.1:{other.port}$request_uri; }}
    """
    gateway = nginx(server, defaults(upstream.port))
    path, body, headers = SSE.request()
    client = SSE.ask(gateway)
    mirrored = other.take()
    assert mirrored.request_line == f"POST {path} HTTP/1.1"
    assert mirrored.body.decode() == body
    assert mirrored.headers["Accept"] == headers["Accept"]
    assert [name for name in mirrored.headers if name.lower() == "authorization" or name.lower().startswith("x-amz")] == []
    mirrored.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    exchange = upstream.take()
    assert json.loads(exchange.body)["inferenceConfig"] == {"maxTokens": 10}
    assert KEY_ID in exchange.headers["Authorization"]
    exchange.start()
    exchange.chunk(b"".join(WHOLE))
    exchange.end()
    assert rest(client.getresponse()) == (SSE.expected(WHOLE), True)
    assert gateway.next_log()["stream_status"] == "complete"


@pytest.mark.parametrize("form", [NATIVE, SSE], ids=["native", "plain"])
def test_a_mirror_that_is_a_gateway_signs_for_itself(nginx, sim, form):
    server = """
    location / { bedrock on; mirror /shadow; proxy_pass http://bedrock; }
    location = /shadow { internal; bedrock on; bedrock_region eu-west-1; bedrock_model shadow.model; proxy_pass http://bedrock; }
    """
    gateway = nginx(server, defaults(sim.port))
    assert rest(form.ask(gateway).getresponse())[1]
    assert eventually(lambda: len(sim.requests()) == 2)
    requests = sorted(sim.requests(), key=lambda request: request["region"])
    assert [request["region"] for request in requests] == ["eu-west-1", "us-east-1"]
    assert [request["verdict"] for request in requests] == ["ok", "ok"]
    assert [request["target"] for request in requests] == ["/model/shadow.model/converse-stream", "/model/a.model/converse-stream"]
    assert requests[0]["body"] == requests[1]["body"]
    log = gateway.next_log()
    assert (log["model"], log["region"], log["stream_status"]) == ("a.model", "us-east-1", "complete")


def test_gzip_to_the_client_holds_nothing_back(nginx, upstream):
    http = "gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_min_length 1;"
    gateway = nginx("location / { bedrock on; proxy_pass http://bedrock; }", defaults(upstream.port) + http)
    path, body, headers = SSE.request()
    client = SSE.ask(gateway)
    client.close()
    upstream.take().close()
    client.request("POST", path, body, headers | {"Accept-Encoding": "gzip"})
    exchange = upstream.take().start()
    assert exchange.headers["Accept-Encoding"] == "identity"
    inflate = zlib.decompressobj(31)
    answer = None
    for one in WHOLE:
        exchange.chunk(one)
        answer = answer or client.getresponse()
        got = b""
        while len(got) < len(SSE.expected([one])):
            piece = answer.read1(65536)
            assert piece
            got += inflate.decompress(piece)
        assert got == SSE.expected([one])
    assert answer.getheader("Content-Encoding") == "gzip"
    exchange.end()
    assert rest(answer)[1]


FALLBACK = """
location / {{ bedrock on; proxy_intercept_errors on; error_page 429 502 = @other; proxy_pass http://bedrock; }}
location @other {{ bedrock on; bedrock_region eu-west-1; proxy_pass http://127.0.0.1:{port}; }}
"""


@pytest.mark.parametrize("step", [1, 5, 12, 50], ids="{} bytes".format)
def test_an_exception_in_pieces_goes_to_the_fallback_at_once(nginx, upstream, other, step):
    """As soon as the frame is whole, however it was cut, and without waiting for the stream's end."""
    gateway = nginx(FALLBACK.format(port=other.port), defaults(upstream.port))
    client = NATIVE.ask(gateway)
    exchange = upstream.take().start()
    data = exception("throttlingException")
    for piece in split(data, range(step, len(data), step)):
        exchange.chunk(piece)
        assert eventually(exchange.is_read)
    second = other.take()
    assert "/eu-west-1/" in second.headers["Authorization"] and second.body == exchange.body
    assert exchange.is_gone()
    second.start()
    second.chunk(b"".join(WHOLE))
    second.end()
    answer = client.getresponse()
    assert (answer.status, *rest(answer)) == (200, b"".join(WHOLE), True)
    log = gateway.next_log()
    assert (log["stream_status"], log["exception"], log["region"]) == ("complete", None, "eu-west-1")


@pytest.mark.parametrize("how", ["more frames", "end", "close", "reset"])
def test_what_follows_the_exception_does_not_matter(nginx, upstream, other, how):
    gateway = nginx(FALLBACK.format(port=other.port), defaults(upstream.port))
    client = NATIVE.ask(gateway)
    exchange = upstream.take().start()
    end = b"0\r\n\r\n" if how == "end" else b""
    frames = exception("throttlingException") + (delta("x") * 100 if how == "more frames" else b"")
    exchange.send(b"%x\r\n%s\r\n%s" % (len(frames), frames, end))
    if how == "close":
        exchange.close()
    elif how == "reset":
        assert eventually(exchange.is_read)
        exchange.reset()
    second = other.take().start()
    second.chunk(b"".join(WHOLE))
    second.end()
    answer = client.getresponse()
    assert (answer.status, *rest(answer)) == (200, b"".join(WHOLE), True)


def test_a_client_that_leaves_while_the_fallback_works(nginx, upstream, other):
    gateway = nginx(FALLBACK.format(port=other.port), defaults(upstream.port))
    client = NATIVE.ask(gateway)
    upstream.take().start().chunk(exception("throttlingException"))
    second = other.take().start()
    second.chunk(START)
    answer = client.getresponse()
    assert read(answer, len(START)) == START
    client.close()
    answer.close()
    assert second.is_gone()
    log = gateway.next_log()
    assert (log["stream_status"], log["exception"], log["input_tokens"]) == ("aborted", None, None)


def test_many_fallbacks_with_clients_that_leave_in_between(nginx, sim):
    """The exception and the client's going meet in every order; the worker lives, and nobody else's fallback is lost."""
    server = """
    location / { bedrock on; proxy_intercept_errors on; error_page 429 = @other; proxy_pass http://bedrock; }
    location @other { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
    """
    gateway = nginx(server, defaults(sim.port))
    workers = gateway.workers()
    for number in range(200):
        leaver, stayer = (NATIVE.ask(gateway, f"sim.exception.first-{number % 5}") for _ in range(2))
        if number % 2:
            linger(leaver.sock)
        leaver.close()
        answer = stayer.getresponse()
        assert answer.status == 200 and rest(answer)[1]
    assert gateway.workers() == workers
    assert "[alert]" not in gateway.errors()


POST_ACTION = FALLBACK.replace("bedrock on;", "bedrock on; post_action @after;") + """
location @after {{ bedrock off; proxy_set_header X-Tokens $bedrock_input_tokens; proxy_pass http://127.0.0.1:{after}; }}
"""


@pytest.fixture
def after():
    """Where post_action leads."""
    one = Upstream()
    yield one
    one.close()


@pytest.mark.parametrize("how", ["whole", "end", "open"])
def test_a_post_action_and_the_access_log_know_the_answer(nginx, upstream, other, after, how):
    """It is called once, after the answer: after the fallback's, where the first attempt failed."""
    gateway = nginx(POST_ACTION.format(port=other.port, after=after.port), defaults(upstream.port))
    client = NATIVE.ask(gateway)
    exchange = upstream.take().start()
    if how != "whole":
        frame = exception("throttlingException")
        exchange.send(b"%x\r\n%s\r\n%s" % (len(frame), frame, b"0\r\n\r\n" if how == "end" else b""))
        exchange = other.take().start()
    exchange.chunk(b"".join(WHOLE))
    exchange.end()
    answer = client.getresponse()
    assert (answer.status, rest(answer)[0]) == (200, b"".join(WHOLE))
    posted = after.take()
    assert posted.headers["X-Tokens"] == "7"
    posted.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    log = gateway.next_log()
    assert (log["stream_status"], log["input_tokens"], log["region"]) == ("complete", "7", "us-east-1" if how == "whole" else "eu-west-1")
    assert "[alert]" not in gateway.errors()


CACHE = """
location / {{
    bedrock on; proxy_pass http://bedrock; proxy_buffering on; proxy_cache answers; proxy_cache_methods POST; {}
    proxy_cache_key "$bedrock_model $bedrock_operation $request_body"; proxy_cache_valid 200 1s;
    add_header X-Cache $upstream_cache_status;
}}
"""
ANSWER = json.dumps({
    "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
})


def reply(exchange, status="200 OK"):
    exchange.send(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {len(ANSWER)}\r\n\r\n{ANSWER}")
    exchange.close()


def cached(nginx, upstream, directives):
    """nginx with an answer in its cache, and a function that asks for it and returns what the cache did."""
    gateway = nginx(CACHE.format(directives), "proxy_cache_path ./cache keys_zone=answers:1m;" + defaults(upstream.port))

    def ask():
        client = WHOLE_ANSWER.ask(gateway)
        answer = client.getresponse()
        assert json.loads(answer.read()) == json.loads(ANSWER)
        client.close()
        return answer.getheader("X-Cache")

    client = WHOLE_ANSWER.ask(gateway)
    reply(upstream.take())
    assert client.getresponse().getheader("X-Cache") == "MISS"
    assert gateway.next_log()["input_tokens"] == "1"
    return gateway, ask


def test_nothing_was_spent_on_an_answer_that_is_stale(nginx, upstream):
    gateway, ask = cached(nginx, upstream, "proxy_cache_use_stale error;")
    upstream.close()

    def stale():
        cache = ask()
        assert gateway.next_log()["input_tokens"] is None
        return cache == "STALE"

    assert eventually(stale)


def test_a_cache_that_renews_its_answers_in_the_background(nginx, upstream):
    """nginx asks again for itself: for the same host, as it was signed."""
    gateway, ask = cached(nginx, upstream, "proxy_cache_use_stale updating; proxy_cache_background_update on;")
    assert eventually(lambda: ask() == "STALE")
    exchange = upstream.take()
    assert exchange.headers["Host"] == f"127.0.0.1:{upstream.port}"
    assert KEY_ID in exchange.headers["Authorization"] and json.loads(exchange.body)["messages"]
    reply(exchange)
    assert eventually(lambda: ask() == "HIT")
