"""Whose request the access log has: however a request ends, the client's own. What the gateway sends, its keys among it, stands
nowhere that `$http_*`, `$request_body` or a cache key looks."""

import http.client
import json
import socket

import pytest

from conftest import KEY_ID, SECRET, defaults, eventually
from test_abort import H2
from test_http2 import H2Client
from test_streaming import MESSAGES, METADATA, MODEL, NATIVE, START, STOP, delta, exception, linger, rest, upstream

__all__ = ["upstream"]

TOKEN = "the-gateways-session-token"
BODY = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "model": MODEL, "stream": True})
WHOLE_BODY = BODY.replace("true", "false")
CLIENT = {"Content-Type": "application/json", "Authorization": "Bearer the-clients", "X-Team": "red", "X-Api-Key": "its-own", "If-Match": '"x"'}
FIELDS = {
    "status": "$status",
    "authorization": "$http_authorization",
    "token": "$http_x_amz_security_token",
    "date": "$http_x_amz_date",
    "team": "$http_x_team",
    "api_key": "$http_x_api_key",
    "precondition": "$http_if_match",
    "length": "$content_length",
    "sent_length": "$http_content_length",
    "uri": "$request_uri",
    "body": "$request_body",
    "billed": "$billed",
    "model": "$bedrock_model",
    "stream": "$bedrock_stream_status",
}
HTTP = (
    "log_format whose escape=json '{" + ",".join(f'"{name}":"{value}"' for name, value in FIELDS.items()) + "}';"
    # First used in the log: what it finds there is what it gives.
    "map $http_x_team $billed { default nobody; red red; blue blue; }"
    "proxy_cache_path ./cache keys_zone=answers:1m;"
)
# Where error_page leads; what post_action and mirror call; who asks on the way.
OTHERS = """
location @static { bedrock off; return 503 "later"; }
location @other { bedrock on; proxy_pass http://bedrock; bedrock_region eu-west-1; }
location = /hook { internal; bedrock off; return 204; }
"""


@pytest.fixture
def gateway(nginx, upstream):
    """gateway(directives, …) starts nginx, whose log is read with log()."""

    def start(directives="", port=None, others=OTHERS, level=""):
        server = (
            "access_log whose.log whose; client_body_buffer_size 64k; proxy_read_timeout 1s; location / {"
            f" bedrock on; {directives} proxy_pass http://bedrock; }}{others}"
        )
        return nginx(server, HTTP + level + defaults(port or upstream.port, f"session_token {TOKEN};"))

    return start


def lines(gateway):
    path = gateway.directory / "whose.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def check(gateway, count=1, body=BODY, **more):
    """So many lines, and each has the client's request, and nothing of the gateway's."""
    found = eventually(lambda: len(lines(gateway)) >= count and lines(gateway))
    assert found and len(found) == count, (found, gateway.errors())
    for line in found:
        expected = {
            "authorization": CLIENT["Authorization"], "token": "", "date": "", "team": "red", "api_key": "its-own", "precondition": '"x"',
            "length": str(len(body)), "sent_length": str(len(body)), "uri": "/v1/chat/completions", "body": body, "billed": "red",
        }
        assert {name: line[name] for name in expected} == expected
    assert {name: found[-1][name] for name in more} == more
    text = (gateway.directory / "whose.log").read_text()
    assert not [secret for secret in (TOKEN, KEY_ID, SECRET) if secret in text]


def ask(gateway, body=BODY, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("POST", "/v1/chat/completions", body, {**CLIENT, **headers})
    return connection


def whole(exchange, status="200 OK", text='{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1}}'):
    exchange.send(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}")


def stream(exchange):
    exchange.start().chunk(START + delta("hi") + STOP + METADATA)
    exchange.end()


# How the upstream behaves, where the client waits for the answer: the status that the client gets.
UPSTREAMS = {
    "an answer": (lambda exchange: stream(exchange), 200),
    "an error": (lambda exchange: whole(exchange, "429 Too Many Requests", '{"message":"no"}'), 429),
    "an exception first": (lambda exchange: exchange.start().chunk(exception("throttlingException")), 429),
    "no answer": (lambda exchange: exchange.close(), 502),
    "a reset": (lambda exchange: exchange.reset(), 502),
    "silence": (lambda exchange: None, 504),
    "no status line": (lambda exchange: (exchange.send("SSH-2.0-OpenSSH_9.2\r\n"), exchange.close()), 502),
    "a header without an end": (lambda exchange: (exchange.send("HTTP/1.1 200 OK\r\nA: b"), exchange.close()), 502),
    "a cut": (lambda exchange: (exchange.start().chunk(START + delta("hi")), exchange.close()), 200),
    "expired credentials": (lambda exchange: whole(exchange, "403 Forbidden", '{"__type":"ExpiredTokenException"}'), None),
}


@pytest.mark.parametrize("behaviour, status", UPSTREAMS.values(), ids=UPSTREAMS)
def test_answers(gateway, upstream, behaviour, status):
    one = gateway()
    client = ask(one)
    exchange = upstream.take()
    assert KEY_ID in exchange.headers["Authorization"] and exchange.headers["X-Amz-Security-Token"] == TOKEN
    behaviour(exchange)
    answer = client.getresponse()
    rest(answer)
    client.close()
    assert status in (None, answer.status)
    check(one)


def test_an_upstream_that_is_not_there(gateway):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one = gateway(port=port)
    assert ask(one).getresponse().status == 502
    check(one)


@pytest.mark.parametrize("how", ["FIN", "RST"])
@pytest.mark.parametrize("when", ["before the header", "while the header is held", "in the stream"])
@pytest.mark.parametrize("directives", ["", "bedrock_client_abort drain;", "proxy_ignore_client_abort on;"])
def test_clients_that_leave(gateway, upstream, how, when, directives):
    one = gateway(directives)
    client = ask(one)
    exchange = upstream.take()
    if when == "while the header is held":
        exchange.start().chunk(START[:20])
        assert eventually(exchange.is_read)
    answer = None
    if when == "in the stream":
        exchange.start().chunk(START + delta("hi"))
        answer = client.getresponse()
        answer.read1(1)
    if how == "RST":
        linger(client.sock)
    client.close()
    if answer:
        answer.close()
    if directives:
        # nginx reads on: the upstream ends it, well or not.
        exchange.close()
    check(one)


@pytest.mark.parametrize("how", ["RST_STREAM", "close"])
@pytest.mark.parametrize("started", [False, True])
def test_http2_clients_that_leave(nginx, upstream, tmp_path, how, started):
    path = tmp_path / "h2"
    # Prior knowledge over a socket, as the other tests about HTTP/2 have it.
    server = f"listen unix:{path} http2; access_log whose.log whose; client_body_buffer_size 64k; location / {{ bedrock on; proxy_pass http://bedrock; }}"
    one = nginx(server, HTTP + defaults(upstream.port, f"session_token {TOKEN};"))
    client = H2Client(path)
    asked = client.ask("/v1/chat/completions", BODY, {**CLIENT, "Content-Length": str(len(BODY))})
    exchange = upstream.take()
    if started:
        exchange.start().chunk(START + delta("hi"))
        client.until(asked, 1)
    if how == "close":
        client.close()
    else:
        client.reset(asked)
    exchange.is_gone()
    check(one)


REFUSALS = {
    "an unknown model": ("bedrock_allow_models other.model;", BODY, 403),
    "no JSON": ("", BODY[:-1], 400),
    "no credentials": ('bedrock_auth bearer "$nothing_here";', BODY, 403),
}


@pytest.mark.parametrize("directives, body, status", REFUSALS.values(), ids=REFUSALS)
def test_refusals(gateway, upstream, directives, body, status):
    one = gateway(directives, level='map "" $nothing_here { default ""; }')
    assert ask(one, body).getresponse().status == status
    check(one, body=body)


@pytest.mark.parametrize("to", ["@static", "@other"])
@pytest.mark.parametrize("behaviour", ["an error", "an exception first", "no answer", "no status line"])
def test_where_error_page_leads(gateway, upstream, to, behaviour):
    one = gateway(f"proxy_intercept_errors on; error_page 429 502 = {to};")
    client = ask(one)
    UPSTREAMS[behaviour][0](upstream.take())
    if to == "@other":
        exchange = upstream.take()
        assert "/eu-west-1/" in exchange.headers["Authorization"]
        assert exchange.headers.get_all("Authorization") == [exchange.headers["Authorization"]]
        stream(exchange)
    answer = client.getresponse()
    rest(answer)
    assert answer.status == (503 if to == "@static" else 200)
    client.close()
    check(one)


def test_a_post_action(gateway, upstream):
    one = gateway("post_action /hook;")
    client = ask(one)
    stream(upstream.take())
    rest(client.getresponse())
    client.close()
    check(one)


@pytest.mark.parametrize("hook", ["on", "off"])
def test_what_a_post_action_calls_gets_the_clients_request(gateway, upstream, hook):
    """Whether its location is a gateway or not; and the log has the tokens of the answer. (By another name than the upstream's,
    whose connections are kept.)"""
    one = gateway("post_action /told;", others=f"location = /told {{ internal; bedrock {hook}; proxy_pass http://127.0.0.1:{upstream.port}; }}")
    client = ask(one)
    stream(upstream.take())
    rest(client.getresponse())
    told = upstream.take()
    assert told.headers["Authorization"] == CLIENT["Authorization"] and told.headers["X-Amz-Date"] is None
    told.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    client.close()
    check(one, stream="complete", model=MODEL)


def test_subrequests_log_the_clients_request(gateway, upstream):
    """A mirror that is a gateway: with log_subrequest it has a line of its own."""
    mirror = "location = /mirror { internal; bedrock on; log_subrequest on; bedrock_api openai; rewrite ^ /v1/chat/completions break; proxy_pass http://bedrock; }"
    one = gateway("mirror /mirror;", others=mirror)
    client = ask(one)
    for _ in range(2):
        exchange = upstream.take()
        try:
            stream(exchange)
        except (BrokenPipeError, ConnectionResetError):
            # nginx reads no more of a mirror's answer than its header.
            assert "/model/" in exchange.request_line
    assert rest(client.getresponse())[1]
    client.close()
    check(one, 2)


CACHE = """proxy_buffering on; proxy_cache answers; proxy_cache_methods POST; proxy_cache_valid 200 1s;
    proxy_cache_key "$http_x_team $request_body"; add_header X-Cache $upstream_cache_status;"""


def cached(one, upstream):
    """An answer is in the cache now."""
    client = ask(one, WHOLE_BODY)
    whole(upstream.take())
    answer = client.getresponse()
    answer.read()
    assert (answer.status, answer.getheader("X-Cache")) == (200, "MISS")


def test_a_cache_hit(gateway, upstream):
    one = gateway(CACHE)
    cached(one, upstream)
    answer = ask(one, WHOLE_BODY).getresponse()
    answer.read()
    assert answer.getheader("X-Cache") == "HIT"
    check(one, 2, WHOLE_BODY)


def test_a_cache_key_sees_the_client(gateway, upstream):
    """So that a team does not get the answers of another one."""
    one = gateway(CACHE)
    cached(one, upstream)
    client = ask(one, WHOLE_BODY, **{"X-Team": "blue"})
    whole(upstream.take())
    answer = client.getresponse()
    answer.read()
    assert answer.getheader("X-Cache") == "MISS"


def test_a_stale_answer(gateway, upstream):
    one = gateway(CACHE + "proxy_cache_use_stale error timeout;")
    cached(one, upstream)
    upstream.close()
    seen = 1

    def stale():
        nonlocal seen
        answer = ask(one, WHOLE_BODY).getresponse()
        answer.read()
        seen += 1
        return answer.getheader("X-Cache") == "STALE"

    assert eventually(stale)
    check(one, seen, WHOLE_BODY)


def test_an_answer_that_is_renewed_in_the_background(gateway, upstream):
    one = gateway(CACHE + "proxy_cache_use_stale updating; proxy_cache_background_update on; log_subrequest on;")
    cached(one, upstream)
    seen = 1

    def stale():
        nonlocal seen
        answer = ask(one, WHOLE_BODY).getresponse()
        answer.read()
        seen += 1
        return answer.getheader("X-Cache") == "STALE"

    assert eventually(stale)
    exchange = upstream.take()
    assert KEY_ID in exchange.headers["Authorization"] and json.loads(exchange.body)["messages"] == [{"role": "user", "content": [{"text": "Hello"}]}]
    whole(exchange)
    check(one, seen + 1, WHOLE_BODY)


@pytest.mark.parametrize("leaves", [False, True])
def test_a_request_that_waits_for_another_ones_answer(gateway, upstream, leaves):
    """proxy_cache_lock: the request is written later, or never."""
    one = gateway(CACHE + "proxy_cache_lock on; proxy_cache_lock_timeout 5s;")
    first = ask(one, WHOLE_BODY)
    exchange = upstream.take()
    second = ask(one, WHOLE_BODY)
    if leaves:
        second.close()
        check(one, 1, WHOLE_BODY)
    whole(exchange)
    first.getresponse().read()
    if not leaves:
        answer = second.getresponse()
        answer.read()
        assert answer.getheader("X-Cache") == "HIT"
    check(one, 2, WHOLE_BODY)


def test_a_request_that_waits_in_vain_is_sent(gateway, upstream):
    one = gateway(CACHE + "proxy_cache_lock on; proxy_cache_lock_age 5s; proxy_cache_lock_timeout 100ms; proxy_read_timeout 5s;")
    first = ask(one, WHOLE_BODY)
    held = upstream.take()
    second = ask(one, WHOLE_BODY)
    exchange = upstream.take()
    assert KEY_ID in exchange.headers["Authorization"] and exchange.headers["X-Amz-Security-Token"] == TOKEN
    assert exchange.request_line.startswith(f"POST /model/{MODEL}/converse ")
    for one_of_them in (held, exchange):
        whole(one_of_them)
    for client in (first, second):
        assert client.getresponse().read()
    check(one, 2, WHOLE_BODY)
