"""Request bodies with Content-Encoding: decoded within limits, and what is sent, counted and cached is the body itself."""

import gzip
import http.client
import json
import struct
import zlib

import pytest

from conftest import defaults
from test_streaming import exception, upstream

__all__ = ["upstream"]

LOCATION = "location / { bedrock on; proxy_pass http://bedrock; }"


def zstd(data):
    """A frame of blocks that are not compressed, which any decoder takes."""
    blocks = [data[at : at + 65536] for at in range(0, len(data), 65536)] or [b""]
    frame = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data))
    for number, block in enumerate(blocks):
        frame += struct.pack("<I", (number == len(blocks) - 1) | len(block) << 3)[:3] + block
    return frame


def raw_deflate(data):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


CODINGS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "Deflate": raw_deflate, "zstd": zstd}
TEXT = "Hello, compressed world"
CHAT = {"model": "a.model", "messages": [{"role": "user", "content": TEXT}]}
FORMS = {
    "openai": ("/v1/chat/completions", CHAT),
    "anthropic": ("/v1/messages", {**CHAT, "max_tokens": 9}),
    "anthropic over invoke": ("/v1/messages", {**CHAT, "model": "anthropic.claude-3-haiku-20240307-v1:0", "max_tokens": 9}),
    "plain": ("/chat", {"model": "a.model", "messages": [{"role": "user", "content": [{"text": TEXT}]}]}),
    "native": ("/model/a.model/converse", {"messages": [{"role": "user", "content": [{"text": TEXT}]}]}),
    "invoke": ("/model/amazon.nova-lite-v1:0/invoke", {"messages": [{"role": "user", "content": [{"text": TEXT}]}]}),
}


def ask(gateway, path, body, coding, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("POST", path, body, {"Content-Type": "application/json", "Content-Encoding": coding, **headers})
    return connection


def answer(connection):
    got = connection.getresponse()
    return got.status, got.read()


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("path, body", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("size", [0, 300_000], ids=["small", "large"])
def test_what_is_decoded_is_sent(gateway, sim, path, body, coding, size):
    if size:
        # More than is kept in memory; nothing that repeats itself beyond the ratio.
        body = json.loads(json.dumps(body).replace(TEXT, TEXT + "".join(f" {number * 7919 % 104729}" for number in range(size // 6))))
    text = json.dumps(body).encode()
    status, got = answer(ask(gateway, path, CODINGS[coding](text), coding))
    assert status == 200, got
    plain = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    plain.request("POST", path, text, {"Content-Type": "application/json"})
    assert answer(plain)[0] == 200
    first, second = sim.requests()
    assert first["body_sha256"] == second["body_sha256"]
    # The journal has small bodies only.
    assert size or TEXT in first["body"]
    names = [name.lower() for name, _ in first["headers"]]
    assert "content-encoding" not in names and first["verdict"] == "ok"
    log = gateway.next_log()
    assert log["status"] == "200" and log["model"]
    gateway.next_log()


WRONG = {
    "brotli": ("br", b"\x0b\x02\x80hello\x03", 415),
    "two": ("gzip, gzip", gzip.compress(gzip.compress(b"{}")), 415),
    "not gzip": ("gzip", json.dumps(CHAT).encode(), 400),
    "cut": ("gzip", gzip.compress(json.dumps(CHAT).encode())[:-9], 400),
    "not zstd": ("zstd", b"no", 400),
    "too large": ("gzip", gzip.compress(json.dumps([number * 7919 % 104729 for number in range(400_000)]).encode()), 413),
    "a bomb": ("gzip", gzip.compress(b" " * 100_000_000), 413),
    "no JSON": ("gzip", gzip.compress(b"no"), 400),
}


@pytest.mark.parametrize("coding, body, status", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("path, error", [("/v1/chat/completions", b'{"error":{'), ("/v1/messages", b'{"type":"error"'), ("/model/a.model/converse", b'{"message":')])
def test_what_is_wrong_is_said_in_the_clients_form(nginx, sim, path, error, coding, body, status):
    gateway = nginx(LOCATION.replace("proxy_pass", "client_max_body_size 2m; proxy_pass"), defaults(sim.port))
    got = answer(ask(gateway, path, body, coding))
    assert got[0] == status and got[1].startswith(error), got
    if status == 415:
        assert b"Content-Encoding" in got[1]
    assert sim.requests() == []
    assert gateway.next_log()["status"] == str(status)
    assert "[error]" not in gateway.errors()


def test_where_the_client_signs_nothing_is_decoded(nginx, sim):
    gateway = nginx("location / { bedrock on; bedrock_auth off; proxy_pass http://bedrock; }", defaults(sim.port).replace("bedrock_auth     test;", ""))
    body = gzip.compress(json.dumps(FORMS["native"][1]).encode())
    status, got = answer(ask(gateway, "/model/a.model/converse", body, "gzip", Authorization="Bearer its-own"))
    assert status == 415 and b"Content-Encoding" in got


def test_each_attempt_has_the_decoded_body(nginx, upstream):
    server = LOCATION.replace("proxy_pass", "proxy_intercept_errors on; error_page 429 = @other; proxy_pass")
    gateway = nginx(server + "location @other { bedrock on; bedrock_region eu-west-1; proxy_pass http://bedrock; }", defaults(upstream.port))
    client = ask(gateway, "/v1/chat/completions", gzip.compress(json.dumps({**CHAT, "stream": True}).encode()), "gzip")
    first = upstream.take()
    first.start().chunk(exception("throttlingException"))
    second = upstream.take()
    assert first.body == second.body and TEXT.encode() in second.body
    second.close()
    client.getresponse().read()


def test_a_client_that_leaves_while_it_is_decoded(gateway, sim):
    body = gzip.compress(json.dumps({**CHAT, "padding": [number * 7919 % 104729 for number in range(1_000_000)]}).encode(), 1)
    for _ in range(5):
        ask(gateway, "/v1/chat/completions", body, "gzip").close()
    assert answer(ask(gateway, "/v1/chat/completions", body, "gzip"))[0] == 200
