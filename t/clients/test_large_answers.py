"""Answers that a thread writes in the client's form, because they are large and come in one piece. Meanwhile the request
waits in the filters: clients leave, upstreams break off, threads are busy."""

import json
import os
import signal
import socket

import pytest

from conftest import LOCATION, defaults, eventually
from test_http2 import H2Client, h2_gateway
from test_streaming import linger, upstream

__all__ = ["upstream"]

TEXT = "\u00e9 \"quoted\"\n" * 60_000
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 7, "outputTokens": 9, "totalTokens": 16},
}
JSON = {"Content-Type": "application/json"}
CHAT = "/v1/chat/completions", {"model": "a.model", "messages": [{"role": "user", "content": "Hi"}]}
MESSAGE = "/v1/messages", CHAT[1] | {"max_tokens": 9}
DIALECTS = pytest.mark.parametrize("asked", [CHAT, MESSAGE], ids=["openai", "anthropic"])
FALLBACK = """
location / { bedrock on; proxy_intercept_errors on; error_page 502 = @other; proxy_pass http://bedrock; }
location @other { bedrock on; proxy_pass http://bedrock; }
"""


class Client:
    """Asks, and reads when it is told to."""

    def __init__(self, gateway, asked=CHAT):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port))
        self.socket.settimeout(20)
        self.ask(asked)

    def ask(self, asked):
        path, body = asked[0], json.dumps(asked[1])
        self.socket.sendall(
            f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    def answer(self):
        """Status and JSON."""
        with self.socket.makefile("rb") as file:
            status = int(file.readline().split()[1])
            length = 0
            while (line := file.readline().rstrip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            return status, json.loads(file.read(length))

    def leave(self):
        linger(self.socket)
        self.socket.close()


def give(exchange, answer=ANSWER, less=0):
    """A whole answer, but for so many bytes of its end."""
    body = json.dumps(answer).encode()
    exchange.send(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
    exchange.send(body[: len(body) - less])


def asked_by(count, gateway, upstream):
    """So many clients, and what came of them upstream."""
    clients, exchanges = [], []
    for _ in range(count):
        clients.append(Client(gateway))
        exchanges.append(upstream.take())
    return clients, exchanges


def text_of(asked, answer):
    return answer["choices"][0]["message"]["content"] if asked is CHAT else answer["content"][0]["text"]


@DIALECTS
def test_each_gets_its_own(nginx, upstream, asked):
    """Two on one connection, of which the second is small."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = Client(gateway, asked)
    exchange = upstream.take()
    give(exchange)
    status, answer = client.answer()
    assert (status, text_of(asked, answer)) == (200, TEXT)
    client.ask(asked)
    give(exchange.next(), ANSWER | {"output": {"message": {"role": "assistant", "content": [{"text": "small"}]}}})
    assert text_of(asked, client.answer()[1]) == "small"
    for _ in range(2):
        log = gateway.next_log()
        assert (log["status"], log["input_tokens"], log["output_tokens"], log["stop_reason"]) == ("200", "7", "9", "end_turn")


@DIALECTS
@pytest.mark.parametrize("wrong", ["is no answer", "ends early"])
def test_what_cannot_be_written_is_an_error(nginx, upstream, asked, wrong):
    gateway = nginx(LOCATION, defaults(upstream.port))
    client = Client(gateway, asked)
    exchange = upstream.take()
    if wrong == "ends early":
        give(exchange, less=1)
        exchange.close()
    else:
        give(exchange, {"output": {"message": {"content": TEXT}}})
    status, answer = client.answer()
    assert (status, "error" in answer) == (502, True)
    assert gateway.next_log()["status"] == "502"
    assert "[alert]" not in gateway.errors()


def test_what_cannot_be_written_goes_to_the_fallback(nginx, upstream):
    gateway = nginx(FALLBACK, defaults(upstream.port))
    client = Client(gateway)
    exchange = upstream.take()
    give(exchange, {"output": {"message": {"content": TEXT}}})
    give(exchange.next())
    status, answer = client.answer()
    assert (status, text_of(CHAT, answer)) == (200, TEXT)
    log = gateway.next_log()
    assert (log["status"], log["input_tokens"]) == ("200", "7")


def test_over_http2(nginx, upstream, tmp_path):
    gateway, path = h2_gateway(nginx, upstream, tmp_path)
    client = H2Client(path)
    stream = client.ask(CHAT[0], json.dumps(CHAT[1]), JSON)
    give(upstream.take())
    status, body, ended = client.to_the_end(stream)
    assert (status, text_of(CHAT, json.loads(body)), ended) == (200, TEXT, True)
    assert gateway.next_log()["output_tokens"] == "9"


def test_from_the_cache(nginx, upstream):
    """What is kept is Bedrock's, so it is written anew."""
    server = """location / { bedrock on; proxy_pass http://bedrock; proxy_buffering on; proxy_cache answers; proxy_cache_methods POST;
        proxy_cache_key $request_body; proxy_cache_valid 200 1h; }"""
    gateway = nginx(server, "proxy_cache_path ./cache keys_zone=answers:1m;" + defaults(upstream.port))
    first = Client(gateway)
    give(upstream.take())
    expected = first.answer()[1]
    answer = Client(gateway).answer()[1]
    assert text_of(CHAT, answer) == text_of(CHAT, expected) == TEXT
    assert [gateway.next_log()["input_tokens"] for _ in range(2)] == ["7", None]


@pytest.mark.parametrize("drain", ["", "bedrock_client_abort drain;"])
def test_clients_that_leave_when_all_of_it_has_come(nginx, sim, drain):
    """One thread for all, so that most of them leave while theirs waits for it. The tokens are known by then."""
    gateway = nginx(LOCATION.replace("bedrock on;", f"bedrock on; {drain}"), defaults(sim.port), "thread_pool default threads=1;")
    asked = CHAT[0], CHAT[1] | {"model": "sim.big.kib-4096"}
    clients = [Client(gateway, asked) for _ in range(12)]
    # The first byte is there once a thread is done with the first of them.
    assert clients[0].socket.recv(1)
    for client in clients:
        client.leave()
    assert {gateway.next_log()["status"] for _ in clients} <= {"200", "499"}
    status, _ = Client(gateway, asked).answer()
    assert status == 200
    assert "[alert]" not in gateway.errors() and len(gateway.workers()) == 1


def test_a_worker_that_ends_meanwhile(nginx, upstream):
    gateway = nginx(LOCATION, defaults(upstream.port), "thread_pool default threads=1;")
    (worker,) = gateway.workers()
    clients, exchanges = asked_by(4, gateway, upstream)
    gateway.process.send_signal(signal.SIGQUIT)
    assert eventually(lambda: f"{worker}#{worker}: gracefully shutting down" in gateway.errors())
    for exchange in exchanges:
        give(exchange)
    assert [text_of(CHAT, client.answer()[1]) == TEXT for client in clients] == [True] * 4
    for client in clients:
        client.socket.close()
    assert eventually(lambda: gateway.process.poll() is not None)
    assert "open socket" not in gateway.errors() and "[alert]" not in gateway.errors()


def test_no_thread_is_free(nginx, upstream):
    """The answer has been paid for: it is written all the same."""
    gateway = nginx(LOCATION, defaults(upstream.port), "thread_pool default threads=1 max_queue=0;")
    (worker,) = gateway.workers()
    clients, exchanges = asked_by(8, gateway, upstream)
    for exchange in exchanges:
        give(exchange, less=1)
    assert eventually(lambda: all(exchange.is_read() for exchange in exchanges))
    # All of them become whole at once.
    os.kill(worker, signal.SIGSTOP)
    for exchange in exchanges:
        exchange.send("}")
    os.kill(worker, signal.SIGCONT)
    assert [text_of(CHAT, client.answer()[1]) == TEXT for client in clients] == [True] * 8
    assert "queue overflow" in gateway.errors()
    assert {gateway.next_log()["output_tokens"] for _ in clients} == {"9"}
