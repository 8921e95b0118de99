"""Mixed requests through the gateway, some of which go wrong, and what each of them should have been charged."""

import asyncio
import json
import math
import socket
import struct
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

TEXT = [{"role": "user", "content": "Say something about the sea."}]
BLOCKS = [{"role": "user", "content": [{"text": "Say something about the sea."}]}]
NOVA = "us.amazon.nova-lite-v1:0"
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

# USD for a million: input, output, cache read, cache written for five minutes and for an hour, and 1,000 ranked documents' searches.
PRICES = {
    NOVA: {"input": "0.06", "output": "0.24", "cache_read": "0.015", "cache_write": "0.07", "cache_write_1h": "0.11"},
    CLAUDE: {"input": "1.1", "output": "5.5", "cache_read": "0.11", "cache_write": "1.375", "cache_write_1h": "2.2"},
    "amazon.titan-embed-text-v2:0": {"input": "0.023", "output": "0"},
    "cohere.rerank-v3-5:0": {"input": "0", "output": "0", "per_search_unit": "0.002"},
}


def price_file():
    """PRICES as bedrock_prices reads them. The ids of scripts begin like those of their models."""
    rules = []
    for model, prices in PRICES.items():
        inner = "".join(f"{name} {price}; " for name, price in prices.items())
        rules.append(f"model {model} {{ {inner}}}\nmodel {model}.sim.* {{ {inner}}}\n")
    return "currency usd; per 1000000; date 2026-11-28;\n" + "".join(rules)


@dataclass(frozen=True)
class Way:
    """A way to ask: the path and body for a model, and the models for which it is one."""

    path: str
    body: dict
    models: tuple = (NOVA, CLAUDE)
    streams: bool = False
    # No model generates anything, so no script of answers goes with it.
    plain: bool = False
    # The charge if a whole answer breaks off. Translated, it is an error that says nothing of what Bedrock has sent.
    cut: frozenset = frozenset({"reserved", "none"})

    def request(self, model):
        body = {name: model if value == "MODEL" else value for name, value in self.body.items()}
        return self.path.replace("MODEL", model), json.dumps(body)


# What InvokeModel has used is in its headers, too.
SAID, UNSAID = frozenset({"exact"}), frozenset({"reserved"})
CONVERSE = {"messages": BLOCKS, "inferenceConfig": {"maxTokens": 300}}
CHAT = {"model": "MODEL", "max_tokens": 300, "messages": TEXT}
RESPONSES = {"model": "MODEL", "max_output_tokens": 300, "input": "Say something about the sea."}
OF_NOVA = {"messages": BLOCKS, "inferenceConfig": {"maxTokens": 300}}
OF_CLAUDE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 300, "messages": TEXT}
WAYS = [
    Way("/model/MODEL/converse", CONVERSE, cut=UNSAID),
    Way("/model/MODEL/converse-stream", CONVERSE, streams=True),
    Way("/model/MODEL/invoke", OF_NOVA, (NOVA,), cut=SAID),
    Way("/model/MODEL/invoke", OF_CLAUDE, (CLAUDE,), cut=SAID),
    Way("/model/MODEL/invoke-with-response-stream", OF_NOVA, (NOVA,), streams=True),
    Way("/model/MODEL/invoke-with-response-stream", OF_CLAUDE, (CLAUDE,), streams=True),
    Way("/v1/chat/completions", CHAT),
    Way("/v1/chat/completions", {**CHAT, "stream": True}, streams=True),
    Way("/v1/chat/completions", {**CHAT, "stream": True, "stream_options": {"include_usage": True}}, streams=True),
    Way("/v1/messages", CHAT, (NOVA,)),
    Way("/v1/messages", CHAT, (CLAUDE,), cut=SAID),
    Way("/v1/messages", {**CHAT, "stream": True}, streams=True),
    Way("/v1/responses", RESPONSES),
    Way("/v1/responses", {**RESPONSES, "stream": True}, streams=True),
    Way("/v1/embeddings", {"model": "MODEL", "input": "four words of text"}, ("amazon.titan-embed-text-v2:0",), plain=True),
    Way("/v2/rerank", {"model": "MODEL", "query": "sea", "documents": ["land", "sea"]}, ("cohere.rerank-v3-5:0",), plain=True),
    Way("/v1/messages/count_tokens", {"model": "MODEL", "messages": TEXT}, (CLAUDE,), plain=True),
]

# What becomes of a request: how often, the script, and the charges that are right for it, whole (None: as the way has it) and streamed.
GOOD, NOTHING, BROKEN = {"exact"}, {"none"}, {"estimated"}
FATES = [
    (40, "text", GOOD, GOOD),
    (10, "cached", GOOD, GOOD),
    (10, "long.frames-40", GOOD, GOOD),
    (5, "reasoning", GOOD, GOOD),
    (5, "tool", GOOD, GOOD),
    (3, "unicode.split-7", GOOD, GOOD),
    (2, "throttled", NOTHING, NOTHING),
    (2, "http-500-internalserver", NOTHING, NOTHING),
    (2, "http-400-validation", NOTHING, NOTHING),
    (2, "http-503-html", NOTHING, NOTHING),
    (3, "exception", NOTHING, NOTHING),
    (3, "exception.at-4", NOTHING, BROKEN),
    (3, "truncated.at-4", None, BROKEN),
    (3, "corrupt.at-4", GOOD, BROKEN),
    (3, "reset.at-4", None, BROKEN),
    (2, "no-usage", UNSAID, BROKEN),
    (2, "no-metadata", UNSAID, BROKEN),
]


@dataclass
class Asked:
    """One request."""

    way: Way
    model: str
    charges: set
    # Bytes after which the client goes away, and how.
    leaves: int = None
    reset: bool = False


def mixture(count, rng):
    """So many requests of all kinds. One in eight that could have a whole answer is left by its client."""
    weights = [weight for weight, *_ in FATES]
    for _ in range(count):
        way = rng.choice(WAYS)
        model = rng.choice(way.models)
        if way.plain:
            yield Asked(way, model, GOOD)
            continue
        _, script, whole, streamed = rng.choices(FATES, weights)[0]
        charges = streamed if way.streams else whole or way.cut
        one = Asked(way, f"{model}.sim.{script}", charges)
        if way.streams and charges is GOOD and rng.randrange(8) == 0:
            one.leaves, one.reset = rng.randrange(300, 1500), rng.random() < 0.5
        yield one


async def ask(port, one, number, prefix):
    """Sends it with its number, and reads the answer as far as the client does; whether there was one."""
    path, body = one.way.request(one.model)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"POST {prefix}{path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nX-Number: {number}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + body).encode())
        if one.leaves is None:
            return bool(await reader.read(12)) and (await reader.read()) is not None
        left = one.leaves
        while left > 0 and (piece := await reader.read(left)):
            left -= len(piece)
        if one.reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return True
    except ConnectionError:
        return False
    finally:
        writer.transport.abort()


async def ask_all(port, requests, prefixes, at_once=24):
    """Sends all of them, each below one of the prefixes in turn; how many had no answer."""
    requests, lost = enumerate(requests), 0

    async def client():
        nonlocal lost
        for number, one in requests:
            lost += not await ask(port, one, number, prefixes[number % len(prefixes)])

    await asyncio.gather(*(client() for _ in range(at_once)))
    return lost


def tokens_of(bill):
    """What counts for a limit in tokens by default."""
    return sum(bill.get(name, 0) for name in ("input", "output", "cache_write"))


def cost_of(model, bill):
    """In USD, exactly."""
    prices = {name: Fraction(price) for name, price in PRICES[model.split(".sim.")[0]].items()}
    if "search_units" in bill:
        return bill["search_units"] * prices["per_search_unit"]
    for_an_hour = bill.get("cache_write_1h", 0)
    counts = {**bill, "cache_write": bill.get("cache_write", 0) - for_an_hour}
    return sum(count * prices.get(name, 0) for name, count in counts.items()) / 1_000_000


def rounded(number, digits):
    """A half up, as the module does."""
    return Fraction(math.floor(number * 10**digits + Fraction(1, 2)), 10**digits)


@dataclass
class Account:
    """What the log says, held against the stand-in's bills."""

    faults: list = field(default_factory=list)
    # By zone: units, tokens or pico-dollars.
    charged: Counter = field(default_factory=Counter)
    charges: Counter = field(default_factory=Counter)

    def hold(self, line, one, bills):
        """A request's line of the log."""
        self.charges[line["charge"]] += 1
        if line["charge"] not in one.charges:
            self.fault(line, f"should be {' or '.join(one.charges)}")
        in_money = line["zone"] == "usd"
        charged = Fraction(line["charged"] or 0)
        self.charged[line["zone"]] += charged * (10**12 if in_money else 1)
        if line["charge"] == "none" and charged:
            self.fault(line, "nothing was used, and it is charged")
        if line["charge"] == "reserved" and line["charged"] != line["reserved"]:
            self.fault(line, "is charged other than reserved")
        if line["charge"] != "exact":
            return
        bill = bills.get(line["request_id"])
        if bill is None:
            # Counting tokens is free.
            if charged or line["operation"] != "count_tokens":
                self.fault(line, "is exact, and there is no bill")
            return
        due = rounded(cost_of(line["model"], bill), 12) if in_money else tokens_of(bill)
        if charged != due:
            self.fault(line, f"should be charged {due}")
        cost = rounded(cost_of(line["model"], bill), 9)
        if line["cost"] is None or Fraction(line["cost"]) != cost:
            self.fault(line, f"should cost {float(cost):.9f}")

    def fault(self, line, what):
        self.faults.append(f"{what}: {line}")
