"""Ten minutes of a busy gateway as the documents of bedrock_status: what the pictures in docs/ show. The same numbers each time."""

import math
import random

from status_document import START, TTFT, document, group, histogram, key, limit, model

# Requests a second, tokens of a request (new, written to the cache, read from it, out), USD for a million (in, written, read, out), and how
# long the first token takes.
MODELS = {
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0": (1.4, (900, 420, 5200, 480), (3.3, 4.1, 0.33, 16.5), 0.9),
    "us.amazon.nova-lite-v1:0": (6.0, (650, 0, 120, 150), (0.06, 0, 0.015, 0.24), 0.3),
    "anthropic.claude-haiku-4-5-20251001-v1:0": (2.2, (1200, 200, 2100, 260), (1, 1.25, 0.1, 5), 0.45),
    "openai.gpt-oss-120b-1:0": (1.1, (700, 0, 0, 380), (0.15, 0, 0, 0.6), 0.35),
    "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/k2v7c9m4q1xz": (0.4, (2400, 300, 900, 620), (3, 3.75, 0.3, 15), 1.2),
    "us.meta.llama4-maverick-17b-instruct-v1:0": (0.5, (900, 0, 0, 210), (0.24, 0, 0, 0.97), 0.5),
    "cohere.embed-v4:0": (1.6, (310, 0, 0, 0), (0.12, 0, 0, 0), None),
}
TEAMS = {"search": 0.44, "assistant": 0.31, "billing-bot": 0.16, "research": 0.09}


class Traffic:
    """Call it for the next second's document."""

    def __init__(self):
        self._random = random.Random(1)
        self.second = 0
        self.requests = dict.fromkeys(MODELS, 0.0)
        self.tokens = {name: [0.0] * 4 for name in MODELS}
        self.cost = dict.fromkeys(MODELS, 0.0)
        self.errors = dict.fromkeys(MODELS, 0.0)
        self.throttled = self.refused = 0
        self.first = {}
        for _ in range(3600):
            self._advance()
        self._started = self.second

    def _advance(self):
        self.second += 1
        wave = 1 + 0.3 * math.sin(self.second / 95) + 0.1 * math.sin(self.second / 23)
        slow = 1 + 0.5 * max(0.0, math.sin(self.second / 140)) ** 4
        for name, (rate, tokens, prices, first) in MODELS.items():
            asked = max(0, round(self._random.gauss(rate * wave, math.sqrt(rate))))
            self.requests[name] += asked
            failed = sum(self._random.random() < 0.006 * slow**3 for _ in range(asked))
            self.errors[name] += failed
            self.throttled += failed
            for index, (size, price) in enumerate(zip(tokens, prices)):
                used = (asked - failed) * size * self._random.uniform(0.8, 1.2)
                self.tokens[name][index] += used
                self.cost[name] += used * price / 1e6
            for _ in range(asked if first else 0):
                seconds = first * slow * self._random.lognormvariate(0, 0.45)
                bucket = next((index for index, bound in enumerate(TTFT) if seconds <= bound), len(TTFT))
                self.first[bucket] = self.first.get(bucket, 0) + 1
        if self._random.random() < 0.02:
            self.refused += 1

    def __call__(self):
        self._advance()
        now, total, cost = self.second - self._started, sum(self.requests.values()), sum(self.cost.values())
        used = {name: dict(zip(("input", "cache_write", "cache_read", "output"), map(round, self.tokens[name]))) for name in MODELS}
        models = [
            model(name, round(self.requests[name]), round(self.errors[name]), f"{self.cost[name]:.9f}", 41 if "llama4" in name else 0, **used[name])
            for name in sorted(MODELS, key=lambda name: -self.requests[name])
        ]
        groups = [
            group({"team": team}, round(total * part), round(sum(self.errors.values()) * part), f"{cost * part * (1.4 - part):.9f}",
                  **{kind: round(part * sum(one[kind] for one in used.values())) for kind in ("input", "cache_write", "cache_read", "output")})
            for team, part in TEAMS.items()
        ]  # fmt: skip
        errors = round(sum(self.errors.values()))
        open_streams = 14 + round(6 * math.sin(self.second / 40) + 2 * math.sin(self.second / 7))
        streams = round(total * 0.8)
        return document(
            float(now), since=START - 3600 - 26 * 3600, workers=4, labels=["team"], in_flight=open_streams + 3, open_streams=open_streams,
            statuses={"200": round(total) - errors - self.refused, "429": self.throttled * 2 // 3 + self.refused, "503": errors - self.throttled * 2 // 3},
            models=models, groups=groups, cost={"total": f"{cost:.9f}", "today": f"{cost * 0.93:.9f}", "day": "2026-11-29"},
            latency=document()["latency"] | {"time_to_first_token": histogram(TTFT, self.first)},
            streams={"complete": streams - 420, "exception": self.throttled // 9, "truncated": 3, "corrupt": 0, "aborted": 380 + now // 9, "drained": 31 + now // 30},
            exceptions={"throttlingException": self.throttled * 2 // 3, "modelStreamErrorException": 4, "serviceUnavailableException": errors - self.throttled * 2 // 3},
            usage_unknown={"aborted": 380 + now // 9, "truncated": 3, "error": 0, "absent": 2},
            limits=[
                limit("usd", "budget", "usd", key("assistant", f"{183 + now / 120:.4f}", "200", 11460.0 - now, 4), key("search", f"{257 + now / 60:.4f}", "400", 11460.0 - now, 9),
                      key("billing-bot", "27.4112", "200", 11460.0 - now, 1), keys=4, rejected=self.refused),
                limit("tpm", "rate", "tokens", key("search", 71_000 + round(9000 * math.sin(now / 9)), 100_000, 41.0, 9), key("research", 12_400, 200_000, 4.0), rejected=31),
                limit("open", "concurrency", "requests", key("search", 8 + round(math.sin(now / 5)), 10, None, 8), key("assistant", 4, 10, None, 4), capacity=790),
            ],
            refusals=[
                {"time": START + now - 7 - 41 * index, "zone": "usd" if index % 3 else "tpm", "model": list(MODELS)[index % 4], "status": 429, "retry_after": 11460 if index % 3 else 4 + index, "dry_run": index == 4}
                for index in range(12)
            ],
            credentials=[{"name": "team_a", "expires_in": 3100.0 - now, "state": "good"}, {"name": "static", "expires_in": None, "state": "good"}],
            prices={"date": "2026-11-08", "models": 310}, series={"used": 214, "capacity": 1000, "overflow": 0},
        )  # fmt: skip
