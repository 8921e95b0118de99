"""A filter below the module's may send on its own in the middle of a call, as nginx's `addition` does: the answer still ends once."""

import http.client
import time

import pytest

from conftest import defaults, eventually
from test_anthropic_streams import MESSAGES
from test_streaming import METADATA, NATIVE, SSE, START, STOP, WHOLE_ANSWER, delta, exception, rest, upstream

__all__ = ["upstream"]

SERVER = """
addition_types *; add_after_body /after; {}
location / {{ bedrock on; proxy_pass http://bedrock; }}
location = /after {{ internal; bedrock off; return 200 "AFTER"; }}
location = /before {{ internal; bedrock off; return 200 "BEFORE"; }}
location = /status {{ addition_types none/none; access_log off; stub_status; }}
"""
DAMAGED = delta("hi")[:-1] + b"x"
FORMS = {"sse": SSE, "openai": ("/v1/chat/completions", '{"model":"a.model","stream":true,"messages":[{"role":"user","content":"Hi"}]}'),
         "anthropic": ("/v1/messages", '{"model":"a.model","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}'), "native": NATIVE}
ENDS = {
    "whole": lambda exchange: (exchange.chunk(START + delta("hi") + STOP + METADATA), exchange.end()),
    "damage": lambda exchange: (exchange.chunk(START + DAMAGED + delta("more")), exchange.end()),
    "damage, and the upstream stays": lambda exchange: exchange.chunk(START + delta("ho") + DAMAGED),
    "damage at once, and the upstream stays": lambda exchange: exchange.chunk(DAMAGED),
    "an exception": lambda exchange: (exchange.chunk(START + exception("throttlingException")), exchange.end()),
    "an exception first": lambda exchange: exchange.chunk(exception("throttlingException")),
    "a cut": lambda exchange: (exchange.chunk(START + delta("hi")), exchange.close()),
    "nothing": lambda exchange: exchange.close(),
}


def request(form):
    return form.request() if hasattr(form, "request") else (*form, {"Content-Type": "application/json"})


def active(gateway):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("GET", "/status", headers={"Connection": "close"})
    return int(connection.getresponse().read().split()[2])


@pytest.mark.parametrize("extra", ["", "add_before_body /before;"])
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_streams(nginx, upstream, form, end, extra):
    gateway = nginx(SERVER.format(extra), defaults(upstream.port))
    client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    client.request("POST", *request(form))
    exchange = upstream.take().start()
    end(exchange)
    began = time.monotonic()
    try:
        answer = client.getresponse()
        got, whole = rest(answer)
    except http.client.RemoteDisconnected:
        # What came before a stream was cut may still have waited for what is put before it.
        assert form in (NATIVE, SSE) and extra
        whole = False
    assert time.monotonic() - began < 8
    if whole and answer.status == 200:
        assert got.count(b"AFTER") == 1 and got.endswith(b"AFTER")
    client.close()
    # One line for the request, and nothing of it stays.
    gateway.next_log()
    exchange.close()
    assert eventually(lambda: active(gateway) == 1)
    assert gateway._lines()[gateway._read :] == [] and "[alert]" not in gateway.errors()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/model/a.model/converse", "/v1/models"])
@pytest.mark.parametrize("body", ['{"model":"a.model","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}', "{"])
def test_whole_answers(nginx, sim, path, body):
    gateway = nginx(SERVER.format("add_before_body /before;"), "bedrock_alias a b.c;" + defaults(sim.port))
    client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    if path == "/model/a.model/converse":
        body = body.replace('"model":"a.model","max_tokens":9,', "").replace('"Hi"', '[{"text":"Hi"}]')
    client.request("GET" if "models" in path else "POST", path, body, {"Content-Type": "application/json"})
    answer = client.getresponse()
    got, whole = rest(answer)
    assert whole and (answer.status != 200 or (got.startswith(b"BEFORE") and got.endswith(b"AFTER")))
    gateway.next_log()
    client.close()
    assert eventually(lambda: active(gateway) == 1)
