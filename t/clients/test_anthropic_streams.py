"""Streams in Anthropic's form, translated from Converse: what arrives when, and what becomes of clients that leave."""

import json

import pytest

from conftest import LOCATION, defaults
from test_abort import DRAIN, FINAL, UNKNOWN, check_log, finish, send_until_noticed
from test_openai_streams import left_after_one_event, next_event
from test_streaming import METADATA, MODEL, START, STOP, Form, delta, rest, upstream

__all__ = ["upstream"]


class Messages(Form):
    """A message that is streamed."""

    def request(self, model=MODEL):
        body = {"model": model, "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
        return "/v1/messages", json.dumps(body), {"Content-Type": "application/json"}


MESSAGES = Messages("anthropic")


def next_of_message(answer):
    name, data = next_event(answer).split("\n")
    event = json.loads(data.removeprefix("data: "))
    assert name == f"event: {event['type']}"
    return event


@pytest.mark.parametrize("buffering", ["off", "on"])
def test_each_event_leaves_before_the_next_one_is_sent(nginx, upstream, buffering):
    gateway = nginx(LOCATION.replace("}", f"proxy_buffering {buffering}; }}"), defaults(upstream.port))
    client = MESSAGES.ask(gateway)
    exchange = upstream.take().start()
    exchange.chunk(START)
    answer = client.getresponse()
    assert [next_of_message(answer)["type"] for _ in range(2)] == ["message_start", "ping"]
    exchange.chunk(delta("one"))
    assert next_of_message(answer)["type"] == "content_block_start"
    assert next_of_message(answer)["delta"] == {"type": "text_delta", "text": "one"}
    exchange.chunk(delta(" two"))
    assert next_of_message(answer)["delta"] == {"type": "text_delta", "text": " two"}
    # The reason waits for the usage, which is in the same event of Anthropic's.
    exchange.chunk(STOP)
    assert next_of_message(answer)["type"] == "content_block_stop"
    exchange.chunk(METADATA)
    assert [next_of_message(answer)["type"] for _ in range(2)] == ["message_delta", "message_stop"]
    exchange.end()
    assert rest(answer) == (b"", True)
    check_log(gateway, "complete", FINAL)


def test_a_client_that_leaves(nginx, upstream):
    gateway, exchange = left_after_one_event(nginx, upstream, "", MESSAGES, next_of_message)
    assert exchange.is_gone()
    check_log(gateway, "aborted", UNKNOWN)


def test_a_client_that_leaves_is_drained(nginx, upstream):
    gateway, exchange = left_after_one_event(nginx, upstream, DRAIN, MESSAGES, next_of_message)
    send_until_noticed(gateway, exchange)
    finish(exchange)
    check_log(gateway, "drained", FINAL)
