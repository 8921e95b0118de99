"""Documents such as bedrock_status answers with, made up, and a server that sends the status page with one of them: what no nginx
can be brought to say in a test of seconds. Time is the document's own."""

import base64
import hashlib
import itertools
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from conftest import ROOT

PAGE = (ROOT / "src/status/page.html").read_text()
START = 1_795_950_000.0
TTFT = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40]
DURATION = [0.01 * 2**n for n in range(15)]
PER_TOKEN = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]
MARKUP = "<img src=x onerror=\"console.error('injected')\">"
ARN = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/" + "x" * 48


def policy(page):
    """The one that the module sends, with the hashes of the page's only style and only script."""
    sources = []
    for name in ("style", "script"):
        (text,) = re.findall(rf"<{name}>(.*?)</{name}>", page, re.S)
        sources.append(f"{name}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")
    return "; ".join(
        ["default-src 'none'", "connect-src 'self'", *sources, "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
    )


def histogram(bounds, below=None):
    """`below`: how many observations, by the index of their bucket."""
    counts, total = [], 0
    for index in range(len(bounds) + 1):
        total += (below or {}).get(index, 0)
        counts.append(total)
    return {"le": bounds, "counts": counts, "sum": 0.0, "count": total}


def tokens(input=0, output=0, cache_read=0, cache_write=0, cache_write_1h=0):
    return {"input": input, "output": output, "cache_read": cache_read, "cache_write": cache_write, "cache_write_1h": cache_write_1h}


def model(name, requests=0, errors=0, cost="0", price_missing=0, **used):
    return {"model": name, "requests": requests, "errors": errors, "tokens": tokens(**used), "cost": cost, "price_missing": price_missing}


def group(labels, requests=0, errors=0, cost="0", **used):
    return {"labels": labels, "requests": requests, "errors": errors, "tokens": tokens(**used), "cost": cost}


def limit(zone, kind, unit, *top, keys=None, capacity=7900, evictions=0, rejected=0):
    results = {"passed": 900, "soft": 4, "rejected": rejected, "rejected_dry_run": 0}
    return {"zone": zone, "kind": kind, "unit": unit, "results": results, "keys": len(top) if keys is None else keys, "capacity": capacity,
            "evictions": evictions, "top": list(top)}


def key(name, used, limit, resets_in=None, in_flight=0):
    return {"key": name, "used": used, "limit": limit, "used_ratio": float(used) / float(limit), "in_flight": in_flight, "resets_in": resets_in}


def document(seconds=0.0, **members):
    """An nginx that has seen nothing and has nothing configured but a status zone, `seconds` after the START."""
    return {
        "schema": 1, "version": "0.1.0", "nginx": "1.22.1", "time": START + seconds, "since": START - 60, "workers": 2, "labels": [],
        "in_flight": 0, "open_streams": 0, "statuses": {}, "models": [], "groups": [], "cost": None,
        "latency": {"duration": histogram(DURATION), "time_to_first_token": histogram(TTFT), "time_per_output_token": histogram(PER_TOKEN)},
        "streams": dict.fromkeys(("complete", "exception", "truncated", "corrupt", "aborted", "drained"), 0), "exceptions": {},
        "usage_unknown": dict.fromkeys(("aborted", "truncated", "error", "absent"), 0), "limits": [], "refusals": [], "credentials": [],
        "prices": None, "series": {"used": 0, "capacity": 1000, "overflow": 0}, "pools": [], "store": None,
    } | members  # fmt: skip


def hostile():
    """Names that are markup, or too long, or that turn the direction of writing."""
    names = [MARKUP, ARN, "\u202eevil", "</script>", "W" * 120, "", "other"]
    return document(
        5.0,
        labels=["team"],
        statuses={"200": 70, "400": 7},
        models=[model(name, requests=10 - index, input=9, output=1, cost="99999999.999999999") for index, name in enumerate(names)],
        groups=[group({"team": name}, requests=1) for name in names],
        cost={"total": "99999999.9", "today": "99999999.9", "day": "2026-11-29"},
        exceptions={MARKUP: 3, "W" * 120: 2},
        limits=[limit(MARKUP, "budget", "usd", key(MARKUP, "99999999", "1", 1e7), key("W" * 120, "1", "3", 60.0), keys=3, rejected=2)],
        refusals=[{"time": START, "zone": MARKUP, "model": name, "status": 429, "retry_after": 86400, "dry_run": True} for name in names],
        credentials=[{"name": MARKUP, "expires_in": -5.0, "state": "failing"}, {"name": "W" * 120, "expires_in": None, "state": "none"}],
        prices={"date": "2020-01-01", "models": 3},
        series={"used": 1000, "capacity": 1000, "overflow": 123456},
        version="9.9.9",
    )


def large():
    """A thousand models and teams, twenty full keys in each of ten zones of a hundred thousand."""
    models = [model(f"us.vendor-{index}.some-model-{index}-v1:0", requests=3000 - index, input=index, output=index, cost="1.5") for index in range(1000)]
    return document(
        5.0,
        labels=["team"],
        statuses={"200": sum(one["requests"] for one in models)},
        models=models,
        groups=[group({"team": f"team-{index}"}, requests=3) for index in range(1000)],
        cost={"total": "1500", "today": "1500", "day": "2026-11-29"},
        limits=[
            limit(f"zone{zone}", "rate", "tokens", *(key(f"key-{n}", 90 - n, 100, 30.0) for n in range(20)), keys=100_000, capacity=100_000)
            for zone in range(10)
        ],
        refusals=[{"time": START, "zone": "zone1", "model": "m", "status": 429, "retry_after": n, "dry_run": False} for n in range(64)],
        prices={"date": "2026-11-28", "models": 310},
    )


def ticking(make, step=1.0):
    """The same document each time, but for its time."""
    times = itertools.count()

    def answer():
        one = make()
        return one | {"time": one["time"] + step * next(times)}

    return answer


class StatusServer:
    """Sends the page as the module does, and at `json` what `answer` gives: a document, or a status in place of one."""

    def __init__(self, answer):
        self.answer = answer
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path == "/bedrock/":
                    self.reply(200, "text/html; charset=utf-8", PAGE.encode(), ("Content-Security-Policy", policy(PAGE)))
                elif self.path == "/bedrock/json":
                    answer = outer.answer()
                    if isinstance(answer, int):
                        self.reply(answer, "text/plain", b"")
                    else:
                        self.reply(200, "application/json", json.dumps(answer).encode(), ("Cache-Control", "no-store"))
                else:
                    self.reply(404, "text/plain", b"")

            def reply(self, status, kind, body, *headers):
                self.send_response(status)
                for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *headers):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
