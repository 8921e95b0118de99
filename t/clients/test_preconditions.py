"""A POST to Bedrock knows no preconditions and no ranges. What nginx would cut off of its answer has been paid for."""

import http.client
import json

import pytest

from conftest import defaults
from test_streaming import FORMS, NATIVE, SSE, WHOLE_ANSWER, rest

CONDITIONS = [
    {"If-Match": '"x"'},
    {"If-Match": "*"},
    {"If-None-Match": "*"},
    {"If-None-Match": '"x"'},
    {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    {"Range": "bytes=0-3"},
    {"Range": "bytes=0-3", "If-Range": '"x"'},
    {"Range": "bytes=99999999-"},
    {"Range": "bytes=0-1,3-4"},
]
LOCATION = """location / { bedrock on; bedrock_alias a.model b.model; proxy_pass http://bedrock; proxy_buffering on; proxy_cache answers;
    proxy_cache_methods POST; proxy_cache_valid any 1m; proxy_force_ranges on; proxy_cache_key $request_uri$request_body; add_header X-Cache $upstream_cache_status; }"""


def ask(connection, path, body, headers):
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    return answer, rest(answer)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: ", ".join(f"{name}: {value}" for name, value in condition.items()))
@pytest.mark.parametrize("form", [NATIVE, SSE, WHOLE_ANSWER], ids=lambda form: form.name)
def test_answers(nginx, sim, form, condition):
    """From Bedrock and from the cache, on one connection: what is after an answer is the next one."""
    gateway = nginx(LOCATION, "proxy_cache_path ./cache keys_zone=answers:1m;" + defaults(sim.port))
    path, body, headers = form.request()
    plain = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    expected = ask(plain, path, body.replace("Hello", "Hello!"), headers)[1]
    assert expected[1]
    gateway.next_log()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    # Streams leave at once, and so are not kept.
    cached = form is WHOLE_ANSWER
    for cache in ("MISS", "HIT", "HIT") if cached else ("MISS",) * 3:
        answer, (got, whole) = ask(connection, path, body, {**headers, **condition})
        assert (answer.status, answer.getheader("X-Cache"), whole) == (200, cache, True)
        assert len(got) == len(expected[0]) or form is not NATIVE
        assert answer.getheader("Content-Range") is None and answer.getheader("Accept-Ranges") is None
        log = gateway.next_log()
        assert (log["status"], log["output_tokens"]) == ("200", "12" if cache == "MISS" else None)
    assert len(sim.requests()) == (2 if cached else 4)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: ", ".join(condition))
def test_answers_of_the_gateways_own(nginx, sim, condition):
    gateway = nginx(LOCATION, "proxy_cache_path ./cache keys_zone=answers:1m;" + defaults(sim.port))
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("GET", "/v1/models", headers=condition)
    answer = connection.getresponse()
    assert (answer.status, [model["id"] for model in json.load(answer)["data"]]) == (200, ["a.model"])
    answer, (got, whole) = ask(connection, "/v1/chat/completions", "{", {"Content-Type": "application/json", **condition})
    assert (answer.status, whole) == (400, True) and b"invalid_request_error" in got
