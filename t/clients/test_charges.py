"""What a request is charged, whatever it asks for and however it ends: a table of paths, and what is reserved, charged, and how sure."""

import http.client
import http.server
import json
import threading

import pytest

from conftest import ROOT, defaults, eventually

NOVA, CLAUDE = "us.amazon.nova-lite-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
GPT_OSS = "openai.gpt-oss-20b-1:0"
# Tokens are counted of models, not of their profiles.
COUNTED = "anthropic.claude-sonnet-4-5-20250929-v1:0"
LIMIT = "bedrock on; bedrock_limit zone=z; bedrock_limit_reserve max; proxy_pass http://bedrock;"
# USD for a million tokens.
INPUT, OUTPUT = 1, 10
PRICES = f"date 2099-01-01;\nmodel *rerank* {{ per_search_unit 0.002; input 0; output 0; }}\nmodel *embed* {{ input {INPUT}; output 0; }}\n" \
    f"model * {{ input {INPUT}; output {OUTPUT}; max_output 500; }}\n"
UNITS = {"tokens": "100Mt/day", "money": "1000usd/day"}

SAID = [{"role": "user", "content": "Hi"}]
BLOCKS = [{"role": "user", "content": [{"text": "Hi"}]}]


def named(path, model, **body):
    """A body that names the model, and whether the answer is streamed."""
    return lambda script, stream: (path, {"model": model + script, "stream": stream, **body})


def invoked(model, **body):
    return lambda script, stream: (f"model/{model}{script}/invoke{'-with-response-stream' if stream else ''}", body)


# Each path to a model: its request, by what the model is to do and whether it is streamed.
FORMS = {
    "OpenAI chat": named("v1/chat/completions", NOVA, messages=SAID),
    "Responses": named("v1/responses", NOVA, input="Hi"),
    "Anthropic over invoke": named("v1/messages", CLAUDE, messages=SAID, max_tokens=400),
    "Anthropic over Converse": named("v1/messages", NOVA, messages=SAID, max_tokens=400),
    "Converse": named("chat", NOVA, messages=BLOCKS),
    "native Converse": lambda script, stream: (f"model/{NOVA}{script}/converse{'-stream' if stream else ''}", {"messages": BLOCKS}),
    "invoke Anthropic": invoked(CLAUDE, anthropic_version="bedrock-2023-05-31", max_tokens=400, messages=SAID),
    "invoke Nova": invoked(NOVA, messages=BLOCKS),
    "invoke Titan": invoked("amazon.titan-text-express-v1", inputText="Hi"),
    "invoke Llama": invoked("us.meta.llama3-3-70b-instruct-v1:0", prompt="Hi"),
    "invoke Mistral": invoked("mistral.mistral-7b-instruct-v0:2", prompt="Hi"),
    "invoke Cohere": invoked("cohere.command-r-plus-v1:0", message="Hi"),
    "Bedrock's own chat": named("own/openai/v1/chat/completions", GPT_OSS, messages=SAID, stream_options={"include_usage": True}),
    "Bedrock's own Responses": named("own/openai/v1/responses", GPT_OSS, input="Hi"),
    "Bedrock's own Messages": named("own/anthropic/v1/messages", CLAUDE, messages=SAID, max_tokens=400),
}
# How an answer ends: what the model does, whether it is streamed, what is charged: of input, of output, and how sure that is. `SEEN`:
# what the content that came may have been, by an estimate. `ALL`: what was reserved.
SEEN, ALL = "seen", "all"
ENDS = {
    "whole": ("", False, 25, 12, "exact"),
    "streamed": ("", True, 25, 12, "exact"),
    "throttled": (".sim.throttled", False, 0, 0, "none"),
    "a stream that is refused": (".sim.throttled", True, 0, 0, "none"),
    "an exception at once": (".sim.exception", True, 0, 0, "none"),
    "an answer without usage": (".sim.no-usage", False, ALL, ALL, "reserved"),
    "a stream without usage": (".sim.no-usage", True, SEEN, SEEN, "estimated"),
    "an exception after content": (".sim.exception.at-5", True, SEEN, SEEN, "estimated"),
    "truncated": (".sim.truncated.at-6", True, SEEN, SEEN, "estimated"),
    "broken off": (".sim.reset.at-6", True, SEEN, SEEN, "estimated"),
    "corrupt": (".sim.corrupt.at-6", True, SEEN, SEEN, "estimated"),
}
LEFT = ".sim.long.frames-200.pace-20"
LONG = 200


@pytest.fixture(scope="module")
def gateways(sim_process, tmp_path_factory):
    """For each unit a gateway with the paths of the table."""
    from conftest import Nginx

    def start(unit):
        directory = tmp_path_factory.mktemp(unit)
        (directory / "prices").write_text(PRICES)
        http = defaults(sim_process.port) + f"""
            bedrock_prices {directory}/prices;
            bedrock_limit_zone all zone=z:1m budget={UNITS[unit]};
            proxy_cache_path {directory}/cache keys_zone=cache:1m;
            log_subrequest on;
        """
        server = f"""
            location / {{ {LIMIT} }}
            location /own/ {{ {LIMIT} bedrock_api native; }}
            location /close/ {{ {LIMIT} bedrock_client_abort close; location /close/own/ {{ {LIMIT} bedrock_client_abort close; bedrock_api native; }} }}
            location /drain/ {{ {LIMIT} bedrock_client_abort drain; location /drain/own/ {{ {LIMIT} bedrock_client_abort drain; bedrock_api native; }} }}
            location /cached/ {{
                {LIMIT} proxy_cache cache; proxy_cache_methods POST; proxy_cache_key $request_uri; proxy_cache_valid 1s; proxy_buffering on;
                proxy_ignore_headers Cache-Control Expires; proxy_cache_use_stale updating; proxy_cache_background_update on;
            }}
            location /post/ {{ {LIMIT} post_action @after; }}
            location @after {{ bedrock off; return 204; }}
            location /mirror/ {{ {LIMIT} mirror /shadow; }}
            location = /shadow {{ internal; {LIMIT} bedrock_model {NOVA}; }}
            location /other/ {{ {LIMIT} proxy_intercept_errors on; error_page 429 503 = @other; }}
            location @other {{ {LIMIT} bedrock_model {NOVA}; }}
            location /nowhere/ {{ {LIMIT} proxy_intercept_errors on; error_page 429 = @nowhere; }}
            location @nowhere {{ return 200 sorry; }}
        """
        return Nginx(directory, server, http)

    started = {unit: start(unit) for unit in UNITS}
    yield started
    for one in started.values():
        one.close()
        assert "[alert]" not in one.errors() and "[emerg]" not in one.errors(), one.errors()


@pytest.fixture(params=UNITS)
def unit(request):
    return request.param


@pytest.fixture
def table(gateways, unit):
    gateway = gateways[unit]
    gateway.skip_log()
    return gateway


def send(gateway, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    headers = {"Content-Type": "application/json", "anthropic-version": "2023-06-01", "Accept": "text/event-stream, */*"}
    method = "POST" if body is not None else "GET"
    connection.request(method, "/" + path.replace(":", "%3A"), None if body is None else json.dumps(body), headers)
    return connection


def ask(gateway, path, body):
    connection = send(gateway, path, body)
    try:
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException:
        return None, b""
    finally:
        connection.close()


def units(unit, read, generated, search_units=0):
    if unit == "tokens":
        return read + generated
    return (read * INPUT + generated * OUTPUT) / 1e6 + search_units * 0.002


def check(line, unit, read, generated, charge, search_units=0, reserves=True):
    """Whether a line of the log has this charge."""
    charged, reserved = float(line["charged"]), float(line["reserved"])
    said = f"charged {charged} of {reserved}, {line['charge']}: {line}"
    assert line["charge"] == charge, said
    assert (reserved > 0) == reserves, said
    if read == ALL:
        assert charged == reserved, said
    elif read == SEEN:
        # Some tokens of a short prompt and of what was seen, and less than all that might have come.
        assert units(unit, 10, 1) <= charged < reserved / 2, said
    else:
        assert charged == pytest.approx(units(unit, read, generated, search_units), abs=1e-9), said


# What answers in another way than the others do.
OTHERWISE = {
    # Server-sent events have no frames that could be corrupt: they pass.
    **{(f"Bedrock's own {api}", "corrupt"): (25, 12, "exact") for api in ("chat", "Responses", "Messages")},
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("form", FORMS)
def test_each_path_and_each_end(table, unit, form, end):
    script, stream, *expected = ENDS[end]
    path, body = FORMS[form](script, stream)
    ask(table, path, body)
    check(table.next_log(), unit, *OTHERWISE.get((form, end), expected))


@pytest.mark.parametrize("abort", ["drain", "close"])
@pytest.mark.parametrize("form", FORMS)
def test_a_client_that_goes_away(table, unit, form, abort):
    script = LEFT.replace("pace-20", "pace-2") if abort == "drain" else LEFT
    path, body = FORMS[form](script, True)
    connection = send(table, f"{abort}/{path}", body)
    answer = connection.getresponse()
    seen = b""
    while seen.count(b"word") < 3 and len(seen) < 2000:
        seen += answer.read1(100)
    answer.close()
    connection.close()
    line = table.next_log()
    if abort == "drain":
        check(line, unit, 25, LONG, "exact")
    else:
        check(line, unit, SEEN, SEEN, "estimated")


CONVERSE = f"model/{NOVA}/converse"
QUERY = {"query": "a", "documents": ["b", "c"]}


@pytest.mark.parametrize(("what", "path", "body", "used", "charge", "reserves"), [
    ("embeddings", "v1/embeddings", {"model": "amazon.titan-embed-text-v2:0", "input": "two words"}, (2, 0), "exact", True),
    ("embeddings, natively", "model/amazon.titan-embed-text-v2:0/invoke", {"inputText": "two words"}, (2, 0), "exact", True),
    ("rerank", "v2/rerank", {"model": "cohere.rerank-v3-5:0", **QUERY}, (0, 0, 1), "exact", True),
    ("rerank, natively", "model/cohere.rerank-v3-5:0/invoke", {**QUERY, "api_version": 2}, (0, 0, 1), "exact", True),
    ("tokens that are counted", f"model/{COUNTED}/count-tokens", {"input": {"converse": {"messages": BLOCKS}}}, (0, 0), "exact", False),
    ("tokens that are counted, Anthropic's", "v1/messages/count_tokens", {"model": CLAUDE, "messages": SAID}, (0, 0), "exact", False),
    ("tokens that are counted, Responses'", "v1/responses/input_tokens", {"model": COUNTED, "input": "Hi"}, (0, 0), "exact", False),
    ("a guardrail", "guardrail/abc/version/1/apply", {"source": "INPUT", "content": [{"text": {"text": "Hi"}}]}, (0, 0), "exact", False),
    ("a list of models", "v1/models", None, (0, 0), "none", False),
    ("a refusal by the model", f"model/{NOVA}/converse", {"messages": "Hi"}, (0, 0), "none", True),
], ids=lambda value: value if isinstance(value, str) and " " in value else "")
def test_what_generates_nothing(table, unit, what, path, body, used, charge, reserves):
    ask(table, path, body)
    line = table.next_log()
    if unit == "tokens" and len(used) == 3:
        assert (line["charged"], line["charge"]) == ("0", charge)
    else:
        check(line, unit, *used[:2], charge, *used[2:], reserves=reserves)


def lines(gateway, count):
    return [gateway.next_log() for _ in range(count)]


def test_beside_other_things_of_nginx(table, unit, sim):
    body = {"messages": BLOCKS}
    # What the cache answers costs nothing; the update behind it has no limit to ask, and what it takes of one is nothing.
    for read, generated in ((25, 12), (0, 0)):
        assert ask(table, "cached/" + CONVERSE, body)[0] == 200
        check(table.next_log(), unit, read, generated, "exact")
    assert len(sim.requests()) == 1
    assert eventually(lambda: ask(table, "cached/" + CONVERSE, body) and len(sim.requests()) == 2)
    assert eventually(lambda: len(table._lines()) > table._read)
    for line in lines(table, len(table._lines()) - table._read):
        assert line["charged"] is None or float(line["charged"]) == 0, line
    table.skip_log()
    # What comes after the answer is not counted, and the answer is.
    assert ask(table, "post/" + CONVERSE, body)[0] == 200
    check(table.next_log(), unit, 25, 12, "exact")
    # Of a mirror's answer nginx reads no more than the header: it is charged what was reserved, at the end of the request it belongs to.
    sim.clear()
    assert ask(table, "mirror/" + CONVERSE, body)[0] == 200
    mirrored, line = lines(table, 2)
    assert len(sim.requests()) == 2
    assert mirrored["charge"] is None and float(mirrored["reserved"]) > 0
    check(line, unit, 25, 12, "exact")


def test_an_attempt_that_failed_used_nothing(table, unit):
    """And it is one request, with the reservation for the model that answers."""
    for stream in ("", "-stream"):
        assert ask(table, f"other/model/{NOVA}.sim.throttled/converse{stream}", {"messages": BLOCKS})[0] == 200
        check(table.next_log(), unit, 25, 12, "exact")
    assert ask(table, f"nowhere/model/{NOVA}.sim.throttled/converse", {"messages": BLOCKS}) == (200, b"sorry")
    check(table.next_log(), unit, 0, 0, "none")


class Bedrock:
    """An upstream that answers each request with what is next in `answers`: status, and body."""

    def __init__(self):
        self.answers = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                status, body = owner.answers.pop(0)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def scripted():
    one = Bedrock()
    yield one
    one.close()


def said(text="Hi", **usage):
    message = {"role": "assistant", "content": [{"text": text}]}
    return 200, {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}


DEAR, CHEAP, UNPRICED = "dear.model", "cheap.model", "unpriced.model"
TWO_PRICES = f"date 2099-01-01;\nmodel {DEAR} {{ input 100; output 1000; max_output 500; }}\nmodel {CHEAP} {{ input 1; output 10; }}\n"
FALLBACK = """
    location / {{ bedrock on; bedrock_model {first}; bedrock_limit zone=z; bedrock_limit_reserve max; proxy_pass http://bedrock;
        proxy_intercept_errors on; error_page 429 502 = @other; }}
    location @other {{ bedrock on; bedrock_model {second}; bedrock_limit zone=z; bedrock_limit_reserve max; {more} proxy_pass http://bedrock; }}
"""


def two_models(nginx, tmp_path, port, budget, first, second, more=""):
    (tmp_path / "prices").write_text(TWO_PRICES)
    http = defaults(port) + f"bedrock_prices {tmp_path}/prices; bedrock_limit_zone all zone=z:1m budget={budget};"
    return nginx(FALLBACK.format(first=first, second=second, more=more), http)


def chat(gateway):
    return ask(gateway, "v1/chat/completions", {"messages": SAID, "model": "any", "max_tokens": 100})


THROTTLED = 429, {"message": "Too many requests."}


@pytest.mark.parametrize(("first", "second", "reserved"), [(DEAR, CHEAP, 0.001), (CHEAP, DEAR, 0.1)], ids=["cheaper", "dearer"])
def test_a_failover_is_reserved_for_its_own_model(nginx, tmp_path, scripted, first, second, reserved):
    gateway = two_models(nginx, tmp_path, scripted.port, "100usd/day", first, second)
    scripted.answers = [THROTTLED, said(inputTokens=25, outputTokens=12, totalTokens=37)]
    assert chat(gateway)[0] == 200
    line = gateway.next_log()
    price = 1 if second == CHEAP else 100
    assert line["charge"] == "exact" and float(line["charged"]) == pytest.approx((25 + 120) * price / 1e6)
    assert reserved < float(line["reserved"]) < 1.1 * reserved


def test_a_failover_that_cannot_be_paid_is_refused(nginx, tmp_path, scripted):
    """A hundredth of what the second model may cost is enough for the first. Nothing of it stays."""
    gateway = two_models(nginx, tmp_path, scripted.port, "0.01usd/day", CHEAP, DEAR)
    for _ in range(3):
        scripted.answers = [THROTTLED]
        status, body = chat(gateway)
        assert status == 429 and b"insufficient_quota" in body
        line = gateway.next_log()
        assert (float(line["charged"]), line["charge"], line["limit_status"]) == (0, "none", "REJECTED")


@pytest.mark.parametrize(("more", "status"), [("", 403), ("bedrock_price_unknown free;", 200)], ids=["refused", "free"])
def test_a_failover_to_a_model_without_a_price(nginx, tmp_path, scripted, more, status):
    gateway = two_models(nginx, tmp_path, scripted.port, "100usd/day", CHEAP, UNPRICED, more)
    scripted.answers = [THROTTLED, said(inputTokens=25, outputTokens=12, totalTokens=37)]
    assert chat(gateway)[0] == status
    line = gateway.next_log()
    assert (float(line["charged"]), line["charge"]) == (0, "exact" if status == 200 else "none")


@pytest.mark.parametrize("budget", ["100Mt/day", "100usd/day"], ids=UNITS)
def test_what_a_failed_attempt_used_is_charged_too(nginx, tmp_path, scripted, budget):
    """Bedrock answers, and says what that used; but what it says is no answer for the client, so that another model is asked."""
    gateway = two_models(nginx, tmp_path, scripted.port, budget, DEAR, CHEAP)
    status, unusable = said(inputTokens=1000, outputTokens=100, totalTokens=1100)
    unusable["output"] = {"message": {"role": "assistant", "content": "no list of blocks"}}
    scripted.answers = [(status, unusable), said(inputTokens=25, outputTokens=12, totalTokens=37)]
    assert chat(gateway)[0] == 200
    line = gateway.next_log()
    expected = 1137 if "t/" in budget else (1000 * 100 + 100 * 1000 + 25 * 1 + 12 * 10) / 1e6
    assert line["charge"] == "exact" and float(line["charged"]) == pytest.approx(expected)
    # The variables are about the answer that the client has.
    assert line["total_tokens"] == "37"


def generated(entry):
    """Tokens that the stand-in made for a request: as many as it made deltas, which stand between the frames around them."""
    whole = entry["stream_ended"] == "complete"
    around = {"converse-stream": (1, 3), "invoke-with-response-stream": (2, 3)}[entry["target"].rsplit("/", 1)[1]]
    return entry["frames"] - (sum(around) if whole else around[0])


@pytest.mark.parametrize("path", ["native Converse", "invoke Anthropic"])
def test_sums_are_right_where_many_clients_go_away(nginx, sim, path):
    """Within 5 % of what the stand-in has made, of those that go away too. What is learned comes from the streams that are whole."""
    limit = f"bedrock_limit_zone all zone=z:1m budget={UNITS['tokens']};"
    gateway = nginx(f"location / {{ {LIMIT} bedrock_client_abort close; }}", limit + defaults(sim.port))
    target, body = FORMS[path](".sim.long.frames-200.pace-1", True)
    for _ in range(12):
        assert ask(gateway, target, body)[0] == 200
    for number in range(30):
        connection = send(gateway, target, body)
        answer = connection.getresponse()
        left = 5_000 + number * 157 % 15_000
        while left > 0:
            left -= len(answer.read1(left)) or left
        answer.close()
        connection.close()
    charged = [gateway.next_log() for _ in range(42)]
    assert eventually(lambda: all(entry["stream_ended"] for entry in sim.requests()))
    assert sum(line["charge"] == "estimated" for line in charged) > 20
    made = sum(25 + generated(entry) for entry in sim.requests())
    assert sum(int(line["charged"]) for line in charged) == pytest.approx(made, rel=0.05)
