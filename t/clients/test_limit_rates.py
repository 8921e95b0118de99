"""Rates and budgets in shared memory: never over, whoever dies; what SDKs do with a refusal; reloads and other sizes."""

import http.client
import json
import os
import signal
import socket
import threading
import time
import urllib.request

import anthropic
import boto3
import openai
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import defaults, eventually, openai_client

MODEL = "us.amazon.nova-lite-v1:0"
# What the stand-in says of each answer.
USED = 37
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"maxTokens": 500}})
LOCATION = "location / {{ bedrock on; bedrock_limit zone=z; bedrock_limit_reserve {}; proxy_pass http://bedrock; }}"


def limited(sim, limit, size="1m"):
    return f"bedrock_limit_zone all zone=z:{size} {limit};" + defaults(sim.port)


def ask(gateway, body=BODY, model=MODEL, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.request("POST", f"/model/{model}/converse", body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def left(gateway, **headers):
    """What the next request is told, which takes nothing: it is larger than anything."""
    huge = BODY.replace("500", str(10**9))
    status, body = ask(gateway, huge, "any.model", **headers)
    assert status in (400, 429), body
    return int(json.loads(body)["message"].split(" tokens, ")[1].split(" of ")[0])


def storm(gateway, requests, at_once=32):
    """So many requests; how many were answered with each status. None: the worker died."""
    statuses, numbers = {}, iter(range(requests))
    lock = threading.Lock()

    def run():
        while True:
            with lock:
                if next(numbers, None) is None:
                    return
            try:
                status = ask(gateway)[0]
            except OSError:
                status = None
            except http.client.HTTPException:
                status = None
            with lock:
                statuses[status] = statuses.get(status, 0) + 1

    threads = [threading.Thread(target=run) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    yield statuses
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("limit", ["budget=10kt/total", "rate=1t/d burst=10kt"])
def test_never_over_and_exact(nginx, sim, limit):
    gateway = nginx(LOCATION.format("max"), limited(sim, limit), workers=2)
    for statuses in storm(gateway, 1000):
        pass
    assert set(statuses) <= {200, 400, 429} and statuses[200] > 100, statuses
    served = len(sim.requests())
    assert served == statuses[200] and served * USED <= 10_000
    # A worker may still be at the end of a request whose client has its answer.
    assert eventually(lambda: left(gateway) == 10_000 - served * USED)
    # What is left goes to who asks for no more than that.
    while ask(gateway)[0] == 200:
        pass
    assert left(gateway) < 600


def test_whoever_dies_nothing_is_counted_twice_or_forgotten(nginx, sim):
    gateway = nginx(LOCATION.format("max"), limited(sim, "budget=20kt/total"), workers=2)
    deaths = 0
    for statuses in storm(gateway, 1500):
        for _ in range(6):
            time.sleep(0.1)
            os.kill(next(iter(gateway.workers())), signal.SIGKILL)
            deaths += 1
            assert eventually(lambda: len(gateway.workers()) == 2)
            if deaths % 3 == 0:
                gateway.reload()
    served = len(sim.requests())
    assert served * USED <= 20_000 and statuses.get(200, 0) > 50, statuses
    # What killed workers had reserved stays charged: at most what they had under way.
    assert eventually(lambda: 20_000 - served * USED - deaths * 32 * 600 <= left(gateway) <= 20_000 - served * USED)


def test_a_reload_and_another_size_keep_what_was_spent(nginx, sim):
    gateway = nginx(LOCATION.format("max"), limited(sim, "budget=10kt/month"), workers=2)
    for expected, size in ((1, "1m"), (2, "2m"), (3, "256k"), (4, "1m")):
        assert ask(gateway)[0] == 200
        assert eventually(lambda: left(gateway) == 10_000 - expected * USED)
        before = gateway.workers()
        gateway.configure(LOCATION.format("max"), limited(sim, "budget=10kt/month", size))
        gateway.reload()
        assert eventually(lambda: not (before & gateway.workers()))
        assert left(gateway) == 10_000 - expected * USED
    # Another limit counts at once.
    gateway.configure(LOCATION.format("max"), limited(sim, "budget=1kt/month"))
    gateway.reload()
    assert eventually(lambda: left(gateway) == 1000 - 4 * USED)


KINDS = [
    ("budget=10kt/hour", "budget=20kt/day"),
    ("budget=10kt/day", "budget=20kt/month"),
    ("budget=100r/day", "budget=20kt/day"),
    ("rate=1t/d burst=10kt", "budget=20kt/day"),
    ("budget=10kt/day tz=+01:00", "rate=1t/d burst=20kt"),
]


@pytest.mark.parametrize(("before", "after"), KINDS)
def test_another_kind_of_limit_begins_anew(nginx, sim, before, after):
    """What a day has used is nothing to a month: the day's number, taken for the month's, would never be over."""
    gateway = nginx(LOCATION.format("max"), limited(sim, before))
    assert ask(gateway)[0] == 200
    old = gateway.workers()
    gateway.configure(LOCATION.format("max"), limited(sim, after))
    gateway.reload()
    assert eventually(lambda: not (old & gateway.workers()))
    for number in range(1, 3):
        assert ask(gateway)[0] == 200
        assert left(gateway) == 20_000 - number * USED
    # The old kind still knows.
    if "t/" in before:
        gateway.configure(LOCATION.format("max"), limited(sim, before))
        gateway.reload()
        assert eventually(lambda: ask(gateway)[0] == 200 and left(gateway) < 10_000 - USED)


def test_the_status_shows_the_keys_of_the_limit_that_is(nginx, sim):
    location = LOCATION.format("off") + "location = /status/json { bedrock_status; }"
    status = "bedrock_status_zone status:1m;"
    gateway = nginx(location, status + limited(sim, "budget=10kt/day"))
    for limit, used in (("budget=20kt/month", USED), ("budget=20kt/total", 2 * USED)):
        old = gateway.workers()
        gateway.configure(location, status + limited(sim, limit))
        gateway.reload()
        assert eventually(lambda: not (old & gateway.workers()))
        for _ in range(used // USED):
            assert ask(gateway)[0] == 200
        with urllib.request.urlopen(f"{gateway.url}/status/json") as answer:
            (zone,) = json.load(answer)["limits"]
        assert zone["keys"] == 1
        assert [(key["used"], key["limit"]) for key in zone["top"]] == [(used, 20_000)]
        assert (zone["top"][0].get("resets_in") is None) == ("total" in limit), zone


def test_a_key_may_have_limits_of_several_kinds(nginx, sim):
    """By the path, of one key: neither resets the other."""
    limits = """
        map $http_window $budget { day 10kt/day; default 20kt/month; }
        bedrock_limit_zone all zone=z:64k budget=$budget;
    """
    gateway = nginx(LOCATION.format("max"), limits + defaults(sim.port))
    for number in range(1, 4):
        for window, amount in (("day", 10_000), ("month", 20_000)):
            assert ask(gateway, window=window)[0] == 200
            assert left(gateway, window=window) == amount - number * USED


def test_streams_that_are_left_are_charged(nginx, sim):
    body = "bedrock_client_abort {};"
    for abort, charge in (("drain", "exact"), ("close", "estimated")):
        location = LOCATION.format("max").replace("bedrock on;", "bedrock on; " + body.format(abort))
        gateway = nginx(location, limited(sim, "budget=10kt/day"))
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        connection.request("POST", f"/model/{MODEL}.sim.long.frames-8.pace-50/converse-stream", BODY, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read1(10)
        answer.close()
        connection.close()
        line = gateway.next_log()
        assert line["charge"] == charge, line
        if charge == "exact":
            assert line["charged"] == line["total_tokens"]
        else:
            # By what was seen of it; t/clients/test_charges.py knows how well.
            assert 0 < int(line["charged"]) < 100 and int(line["reserved"]) > 500


def test_nobody_is_kept_out_by_a_limit_that_no_model_has(nginx, sim):
    """The client asks for more tokens than there are, and goes away before anybody says that this is too many."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        upstream = f"upstream silent {{ server 127.0.0.1:{silent.getsockname()[1]}; }}"
        location = LOCATION.format("max") + LOCATION.format("max").replace("location /", "location /silent").replace("//bedrock", "//silent")
        gateway = nginx(location, upstream + limited(sim, "rate=100kt/m burst=100kt"))
        huge = BODY.replace("500", str(2**62))
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        connection.request("POST", f"/silent/model/{MODEL}/converse", huge, {"Content-Type": "application/json"})
        silent.accept()
        connection.close()
        line = gateway.next_log()
        assert (line["status"], line["charge"]) == ("499", "reserved")
        # What the model can, and the text.
        assert 10_000 < int(line["reserved"]) < 10_100
        assert ask(gateway)[0] == 200


def test_estimates_are_learned(nginx, sim):
    gateway = nginx(LOCATION.format("learned"), limited(sim, "budget=1Mt/day"))
    reserved = []
    for _ in range(12):
        assert ask(gateway)[0] == 200
        reserved.append(int(gateway.next_log()["reserved"]))
    # At first all that the request allows, then what answers are like: 12 tokens.
    assert reserved[0] > 500 and reserved[-1] < 150, reserved


def test_sdks_come_back_when_it_is_soon(nginx, sim):
    gateway = nginx(LOCATION.format("off"), limited(sim, "rate=2r/s burst=1r"))
    ask(gateway)
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=5, timeout=20)
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    client = anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=5)
    client.messages.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    aws = boto3.client("bedrock-runtime", endpoint_url=gateway.url, region_name="us-east-1", aws_access_key_id="A", aws_secret_access_key="S",
                       config=Config(retries={"total_max_attempts": 8, "mode": "standard"}, proxies={}))
    aws.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hi"}]}])


@pytest.mark.parametrize("limit", ["budget=1t/day", "rate=1t/d burst=1t"])
def test_sdks_give_up_at_once_when_it_is_not(nginx, sim, limit):
    gateway = nginx(LOCATION.format("off"), limited(sim, limit))
    assert ask(gateway)[0] == 200
    began = time.monotonic()
    with pytest.raises(openai.RateLimitError):
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=5, timeout=20)
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    with pytest.raises(anthropic.RateLimitError):
        client = anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=5)
        client.messages.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    assert time.monotonic() - began < 3
    if limit.startswith("budget"):
        aws = boto3.client("bedrock-runtime", endpoint_url=gateway.url, region_name="us-east-1", aws_access_key_id="A", aws_secret_access_key="S",
                           config=Config(retries={"total_max_attempts": 5, "mode": "standard"}, proxies={}))
        with pytest.raises(ClientError) as refused:
            aws.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
        assert refused.value.response["Error"]["Code"] == "ServiceQuotaExceededException"
        assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert len(sim.requests()) == 1
    # Nothing is used by these.
    openai_client(f"{gateway.url}/v1").models.list()
