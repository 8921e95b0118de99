"""Clients that a limit refuses, each with the retries that it has by itself: they come back when it is soon, and give up at once when it
is not. What reached nginx is counted in its log."""

import json
import threading
import time
import urllib.request

import anthropic
import boto3
import cohere
import openai
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cohere.core import ApiError

from conftest import ROOT, defaults, eventually
from node_process import Node

MODEL = "any.model"
MESSAGES = [{"role": "user", "content": "Hi"}]
TURNS = [{"role": "user", "content": [{"text": "Hi"}]}]
# What all these SDKs do after the first attempt, unless they are told otherwise.
RETRIES = 2


@pytest.fixture(scope="module")
def nodes():
    """The programs of node/, each started when it is needed first."""
    started = {}

    def program(name):
        if name not in started:
            started[name] = Node(name)
        return started[name]

    yield program
    for node in started.values():
        node.close()


def openai_client(url, nodes):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="any", timeout=20)
    return lambda streamed: list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=streamed))


def responses_client(url, nodes):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="any", timeout=20)
    return lambda streamed: list(client.responses.create(model=MODEL, input="Hi", stream=streamed))


def anthropic_client(url, nodes):
    client = anthropic.Anthropic(base_url=url, api_key="any", timeout=20)
    return lambda streamed: list(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=streamed))


def boto3_client(url, nodes):
    client = boto3.client("bedrock-runtime", endpoint_url=url, region_name="us-east-1", aws_access_key_id="A", aws_secret_access_key="S",
                          config=Config(retries={"total_max_attempts": 1 + RETRIES, "mode": "standard"}, proxies={}))
    calls = {False: client.converse, True: client.converse_stream}
    return lambda streamed: list(calls[streamed](modelId=MODEL, messages=TURNS).get("stream", []))


def cohere_client(url, nodes):
    client = cohere.ClientV2(api_key="any", base_url=url, timeout=20)
    return lambda streamed: client.rerank(model="cohere.rerank-any:0", query="b", documents=["a"])


def of_node(program, path, whole, stream, **options):
    def client(url, nodes):
        node = nodes(program)

        def call(streamed):
            seen = node.call(scenario=stream if streamed else whole, url=url + path, model=MODEL, retries=RETRIES, **options)
            if "error" in seen:
                raise NodeError(seen["status"])

        return call

    return client


class NodeError(Exception):
    """What the program said of an error that its package raised."""

    def __init__(self, status):
        super().__init__(status)
        self.status_code = status


CLIENTS = {
    "openai": openai_client,
    "openai-responses": responses_client,
    "openai-node": of_node("openai.mjs", "/v1", "plain", "stream"),
    "openai-node-responses": of_node("openai.mjs", "/v1", "response", "response_stream"),
    "anthropic": anthropic_client,
    "anthropic-node": of_node("anthropic.mjs", "", "plain", "stream"),
    "boto3": boto3_client,
    "aws-node": of_node("aws.mjs", "", "converse", "stream", http1=True),
    "cohere": cohere_client,
}
# They know no header that tells them to give up, so they try as often as they are wont to.
NOT_TO_BE_STOPPED = ("boto3", "aws-node", "cohere")
CLIENT = pytest.mark.parametrize("name", CLIENTS)
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture
def limited(nginx, sim, nodes, name):
    """limited(LIMIT) starts a gateway with that limit, and a client of it."""
    return lambda limit: Limited(limit, nginx, sim, lambda url: CLIENTS[name](url, nodes))


class Limited:
    """A gateway with a limit, and a client of it."""

    def __init__(self, limit, nginx, sim, client):
        zone = f"bedrock_prices {ROOT}/nginx-conf/bedrock_prices; bedrock_limit_zone all zone=z:1m {limit};"
        location = "location / { bedrock on; bedrock_limit zone=z; proxy_pass http://bedrock; }"
        self.gateway = nginx(location + "location = /last { return 204; }", zone + defaults(sim.port))
        self.call = client(self.gateway.url)

    def spend(self, model=MODEL):
        """One request; what is left open is in progress until it is closed."""
        body = json.dumps({"messages": TURNS}).encode()
        request = urllib.request.Request(f"{self.gateway.url}/model/{model}/converse-stream", body, {"Content-Type": "application/json"})
        return urllib.request.urlopen(request, timeout=20)

    def outcome(self, streamed):
        """The statuses of all attempts; the last is what the application has."""
        try:
            self.call(streamed)
            status = 200
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        except (openai.APIStatusError, anthropic.APIStatusError, ApiError, NodeError) as error:
            status = error.status_code
        urllib.request.urlopen(f"{self.gateway.url}/last", timeout=20).close()
        statuses = []
        while (line := self.gateway.next_log())["status"] != "204":
            statuses.append(int(line["status"]))
        assert statuses[-1] == status
        return statuses


@CLIENT
def test_a_rate_that_is_free_soon(limited, sim):
    gateway = limited("rate=30r/m burst=1r")
    # It is loaded then, and asks again at once.
    gateway.call(False)
    # The wait is never told too short, so the second attempt is the last.
    assert gateway.outcome(False) == [200, 429, 200]


@STREAMED
@CLIENT
def test_a_place_that_is_free_soon(limited, sim, streamed):
    gateway = limited("concurrency=1")
    in_progress = gateway.spend(f"{MODEL}.sim.stall")
    leaves = threading.Thread(target=lambda: eventually(lambda: any("\"429\"" in line for line in gateway.gateway._lines())) and in_progress.close())
    leaves.start()
    statuses = gateway.outcome(streamed)
    leaves.join()
    statuses.remove(200)
    assert statuses in ([429, 200], [429, 429, 200])


@STREAMED
@CLIENT
def test_a_rate_that_is_not(limited, sim, name, streamed):
    gateway = limited("rate=1r/h burst=1r")
    gateway.spend().read()
    began = time.monotonic()
    assert gateway.outcome(streamed) == [200] + [429] * (1 + RETRIES if name in NOT_TO_BE_STOPPED else 1)
    # An hour is what they were told.
    assert time.monotonic() - began < 30


@STREAMED
@CLIENT
def test_a_budget_that_is_spent(limited, sim, name, streamed):
    gateway = limited("budget=1r/total")
    gateway.spend().read()
    assert gateway.outcome(streamed) == [200, {"boto3": 400, "aws-node": 400, "cohere": 402}.get(name, 429)]


@STREAMED
@CLIENT
def test_a_model_without_a_price(limited, sim, streamed):
    assert limited("budget=100usd/day").outcome(streamed) == [403]
