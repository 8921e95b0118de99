"""A thousand requests at once through 100,000 tokens: what they spend, by the stand-in's own bills."""

import asyncio
import json
import math
import random
import time

import pytest

from bills import tokens_of
from conftest import defaults
from test_limit_rates import left

MODEL = "us.amazon.nova-lite-v1:0"
LIMIT, AT_ONCE, MOST = 100_000, 1000, 300
HTTP = "bedrock_limit_zone all zone=z:1m {};"
SERVER = "location / {{ bedrock on; bedrock_client_abort drain; bedrock_limit zone=z; bedrock_limit_reserve {}; proxy_pass http://bedrock; }}"
# What asks for a part more than the limit has is told what is left, whatever is learned.
PROBE = "location /model/us.amazon.nova-lite-v1:0/converse { bedrock on; bedrock_limit zone=z; bedrock_limit_reserve max; proxy_pass http://bedrock; }"


async def ask(port, rng, begin, longest=MOST):
    """One request, sent when all are connected; its status. One client in ten leaves in the middle."""
    model = f"{MODEL}.sim.long.frames-{rng.randrange(1, longest)}"
    operation, leaves = rng.choice(["converse", "converse-stream"]), rng.random() < 0.1
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"maxTokens": MOST}})
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await begin.wait()
        head = f"POST /model/{model}/{operation} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + body).encode())
        status = int((await reader.readline()).split()[1])
        await (reader.read(1000) if leaves and operation == "converse-stream" else reader.read())
        return status
    finally:
        writer.transport.abort()


async def wave(gateway, rng, count, **options):
    """So many at once."""
    begin = asyncio.Event()
    asking = [asyncio.ensure_future(ask(gateway.port, rng, begin, **options)) for _ in range(count)]
    begin.set()
    return await asyncio.gather(*asking)


async def storm(gateway, rng):
    """A thousand at once, again and again, until hardly anything is left; their statuses. Before them a few short ones."""
    statuses, served = await wave(gateway, rng, 50, longest=9), AT_ONCE
    while served > 20:
        last = await wave(gateway, rng, AT_ONCE)
        statuses, served = statuses + last, last.count(200)
    return statuses


# The rate brings less than a token in a minute.
@pytest.mark.parametrize("reserve, limit", [("max", "budget=100kt/total"), ("max", "rate=1kt/d burst=100kt"), ("learned", "budget=100kt/total")])
def test_a_thousand_at_once(nginx, sim, limit, reserve):
    began = time.monotonic()
    server = PROBE + SERVER.format(reserve)
    gateway = nginx(server, HTTP.format(limit) + defaults(sim.port), workers=2, connections=4096)
    rng = random.Random(limit + reserve)
    statuses = asyncio.run(storm(gateway, rng))
    assert set(statuses) <= {200, 400, 429}, set(statuses)
    lines = gateway.logs(len(statuses))
    spent = sum(map(tokens_of, sim.bills().values()))
    served = [line for line in lines if line["charge"] == "exact"]
    assert len(served) == statuses.count(200) == len(sim.bills())
    assert sum(int(line["charged"]) for line in served) == spent
    over = sum(max(int(line["charged"]) - int(line["reserved"]), 0) for line in served)
    print(f"{len(served)} of {len(statuses)} requests spent {spent} of {LIMIT} tokens; {over} above what was reserved")
    assert spent > LIMIT * 0.9
    remaining = left(gateway)
    brought = math.ceil((time.monotonic() - began) / 86.4) if limit.startswith("rate") else 0
    match reserve:
        case "max":
            assert over == 0 and spent <= LIMIT + brought
            assert LIMIT - spent <= remaining <= LIMIT - spent + brought
        case "learned":
            # What is learned is a model's, and here each length is another model: before eight answers are known, a request takes all that
            # it allows.
            assert over == 0 and spent <= LIMIT
            assert remaining == LIMIT - spent
