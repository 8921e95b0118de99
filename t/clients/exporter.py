"""A stand-in for bedrock_status, with its names and labels; all counters grow with each scrape."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODELS, TEAMS = ["us.amazon.nova-lite-v1:0", "anthropic.claude-x"], ["search", "docs"]
DURATION = [0.01 * 2**n for n in range(15)]
FIRST = [.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40]
PER_TOKEN = [.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5]
TOKENS = [4**n for n in range(14)]


def labelled(**labels):
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""


def metrics(n):
    out = []

    def family(name, kind, samples):
        out.append(f"# HELP {name} About {name}.\n# TYPE {name} {kind}\n")
        out.extend(f"{name}{suffix}{labelled(**labels)} {value}\n" for suffix, labels, value in samples)

    def histogram(name, bounds, more):
        samples = []
        for model in MODELS:
            for extra in more:
                labels = {"model": model, **extra}
                samples += [("_bucket", {**labels, "le": bound}, int(n * (i + 1) / len(bounds))) for i, bound in enumerate([*bounds, "+Inf"][:-1])]
                samples += [("_bucket", {**labels, "le": "+Inf"}, n), ("_sum", labels, n * 1.5), ("_count", labels, n)]
        family(name, "histogram", samples)

    each = [{"model": model, "api": "openai", "operation": "converse_stream", "team": team} for model in MODELS for team in TEAMS]
    plain = lambda value, **labels: ("", labels, value)  # noqa: E731
    family("bedrock_build_info", "gauge", [plain(1, version="0.1.0", nginx="1.22.1")])
    family("bedrock_workers", "gauge", [plain(2)])
    family("bedrock_requests_total", "counter", [plain(n, **one, status=status) for one in each for status in (200, 400, 429, 502)])
    family("bedrock_tokens_total", "counter",
           [plain(n, **one, type=kind) for one in each for kind in ("input", "output", "cache_read", "cache_write", "cache_write_1h")])
    family("bedrock_cost_usd_total", "counter", [plain(n / 100, **one) for one in each])
    family("bedrock_price_missing_total", "counter", [plain(n, **one) for one in each])
    histogram("bedrock_request_duration_seconds", DURATION, [{}])
    histogram("bedrock_time_to_first_token_seconds", FIRST, [{}])
    histogram("bedrock_time_per_output_token_seconds", PER_TOKEN, [{}])
    histogram("bedrock_request_tokens", TOKENS, [{"type": "input"}, {"type": "output"}])
    family("bedrock_streams_total", "counter",
           [plain(n, model=model, status=end) for model in MODELS for end in ("complete", "exception", "truncated", "corrupt", "aborted", "drained")])
    family("bedrock_exceptions_total", "counter", [plain(n, exception=name) for name in ("ThrottlingException", "throttlingException", "other")])
    family("bedrock_usage_unknown_total", "counter", [plain(n, reason=why) for why in ("aborted", "truncated", "error", "absent")])
    family("bedrock_requests_in_flight", "gauge", [plain(3)])
    family("bedrock_streams_open", "gauge", [plain(2)])
    family("bedrock_limit_requests_total", "counter",
           [plain(n, zone="usd", result=result) for result in ("passed", "soft", "rejected", "rejected_dry_run")])
    family("bedrock_limit_zone_keys", "gauge", [plain(90, zone="usd")])
    family("bedrock_limit_zone_capacity", "gauge", [plain(100, zone="usd")])
    family("bedrock_limit_zone_evictions_total", "counter", [plain(n, zone="usd")])
    family("bedrock_limit_used_ratio", "gauge", [plain(.9, zone="usd", key="search")])
    family("bedrock_credentials_expiry_seconds", "gauge", [plain(300, name="role")])
    family("bedrock_credentials_failing", "gauge", [plain(0, name="role")])
    family("bedrock_series", "gauge", [plain(14)])
    family("bedrock_series_capacity", "gauge", [plain(1000)])
    family("bedrock_series_overflow_total", "counter", [plain(n)])
    return "".join(out)


class Exporter:
    def __init__(self):
        count = iter(range(10, 1_000_000, 10))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = metrics(next(count)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
