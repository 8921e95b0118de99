"""nginx-conf/bedrock_otel, nginx-conf/otel-collector.yml and the client's trace in the log: the names are those of OpenTelemetry's
conventions, and the values are what a request was. Neither nginx's OpenTelemetry module nor a collector is in Debian: each attribute is
logged here instead of sent, and of the collector's file the names are checked."""

import http.client
import json
import re

import pytest
from opentelemetry.semconv._incubating.attributes import aws_attributes, cloud_attributes, error_attributes, gen_ai_attributes, server_attributes

from conftest import LOCATION, ROOT, defaults, eventually

CONVENTIONS = {value for module in (aws_attributes, cloud_attributes, error_attributes, gen_ai_attributes, server_attributes)
               for value in vars(module).values() if isinstance(value, str)}
OTEL = (ROOT / "nginx-conf/bedrock_otel").read_text()
ATTRIBUTES = dict(re.findall(r"^otel_span_attr (\S+) +(\S+);$", OTEL, re.M))
COLLECTOR = (ROOT / "nginx-conf/otel-collector.yml").read_text()
FIELDS = re.findall(r"'\"(\w+)\":", (ROOT / "nginx-conf/bedrock_json").read_text())
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_names_are_those_of_the_conventions():
    assert len(ATTRIBUTES) == OTEL.count("otel_span_attr ") > 10
    assert ATTRIBUTES.keys() - CONVENTIONS == set()


def test_the_collector_makes_the_same_of_the_log():
    log, spans = COLLECTOR.split("transform/span:")[0], COLLECTOR.split("transform/span:")[1]
    made = set(re.findall(r'set\(attributes\["([\w.]+)"\]', log))
    # The log does not have the host.
    assert made == ATTRIBUTES.keys() - {"server.address"}
    read = set(re.findall(r'attributes(?:\["|\.)(\w+)(?="\]|\b(?!\.))', log)) - {"trace_id", "span_id", "trace_flags"}
    assert {name for name in read if not any(name in attribute for attribute in ATTRIBUTES)} - set(FIELDS) == set()
    # Of a span, each that may be unknown.
    assert set(re.findall(r'delete_key\(attributes, "([\w.]+)"\)', spans)) == {name for name, value in ATTRIBUTES.items() if value[0] == "$"}
    # The same traces as nginx.
    pattern = re.search(r'regex: "(.*)"', COLLECTOR)[1]
    assert re.match(pattern, TRACE).groupdict() == dict(zip(("trace_id", "span_id", "trace_flags"), TRACE.split("-")[1:]))


@pytest.fixture
def traced(nginx, sim):
    """A gateway that logs what it would send."""
    attributes = ",".join(f'"{name}":"{value}"' for name, value in ATTRIBUTES.items())
    name = re.search(r'^otel_span_name "(.*)";$', OTEL, re.M)[1]
    http = f"""
        map $http_x_team $team {{ default $http_x_team; }}
        include {ROOT}/nginx-conf/bedrock_json;
        {OTEL[:OTEL.index("otel_span_name")]}
        log_format otel escape=json '{{"name":"{name}",{attributes}}}';
    """
    logs = "access_log bedrock.json bedrock_json; access_log otel.json otel;"
    server = LOCATION.replace("bedrock on;", f"bedrock on; bedrock_alias fast us.amazon.nova-lite-v1:0; {logs}")
    return nginx(server, http + defaults(sim.port))


def asked(gateway, path, body, **headers):
    """The status, the span that would be sent without what is not known, and the line of the log."""
    logs = [gateway.directory / name for name in ("otel.json", "bedrock.json")]
    before = len(lines(logs[0]))
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    try:
        answer.read()
    except http.client.IncompleteRead:
        pass
    connection.close()
    assert eventually(lambda: all(len(lines(log)) > before for log in logs))
    span, line = (json.loads(lines(log)[before]) for log in logs)
    return answer.status, {name: value for name, value in span.items() if value}, line


def lines(log):
    return log.read_text().split("\n")[:-1] if log.exists() else []


MESSAGES = [{"role": "user", "content": "Hi"}]
NATIVE = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


def test_a_stream(traced):
    body = {"model": "fast", "stream": True, "messages": MESSAGES}
    status, span, line = asked(traced, "/v1/chat/completions", body, traceparent=TRACE, **{"X-Claude-Code-Session-Id": "s-1"})
    first, request_id = span.pop("gen_ai.response.time_to_first_chunk"), span.pop("aws.request_id")
    assert status == 200 and float(first) >= 0 and request_id == line["request_id"]
    assert span == {
        "name": "chat fast", "gen_ai.provider.name": "aws.bedrock", "gen_ai.operation.name": "chat", "gen_ai.request.model": "fast",
        "gen_ai.response.model": "us.amazon.nova-lite-v1:0", "gen_ai.response.finish_reasons": "end_turn",
        "gen_ai.usage.input_tokens": "25", "gen_ai.usage.output_tokens": "12", "gen_ai.conversation.id": "s-1",
        "server.address": span["server.address"], "cloud.region": "us-east-1"}
    assert line["traceparent"] == TRACE and line["prompt_tokens"] == "25"


def test_input_tokens_are_those_of_the_whole_prompt(traced):
    _, span, line = asked(traced, "/model/us.amazon.nova-lite-v1:0.sim.cached/converse", NATIVE)
    counts = {name.removeprefix("gen_ai.usage."): value for name, value in span.items() if name.startswith("gen_ai.usage.")}
    assert counts == {"input_tokens": "1210", "output_tokens": "20", "cache_read.input_tokens": "1000", "cache_creation.input_tokens": "200"}
    assert (line["input_tokens"], line["prompt_tokens"], line["traceparent"]) == ("10", "1210", "")


@pytest.mark.parametrize("path, body, operation", [
    ("/v1/embeddings", {"model": "amazon.titan-embed-text-v2:0", "input": "Hi"}, "embeddings"),
    ("/v2/rerank", {"model": "amazon.rerank-v1:0", "query": "Hi", "documents": ["a"]}, "rerank"),
    ("/v1/messages", {"model": "anthropic.claude-x", "max_tokens": 9, "messages": MESSAGES}, "chat"),
    ("/model/anthropic.claude-sonnet-4-20250514-v1:0/count-tokens", {"input": {"converse": NATIVE}}, "count_tokens")])
def test_operations(traced, path, body, operation):
    status, span, _ = asked(traced, path, body)
    assert (status, span["gen_ai.operation.name"]) == (200, operation)
    assert "error.type" not in span


@pytest.mark.parametrize("script, path, error", [
    ("throttled", "converse", "ThrottlingException"), ("exception.at-3", "converse-stream", "throttlingException"),
    ("truncated", "converse-stream", "truncated"), ("corrupt", "converse-stream", "corrupt"), ("http-502-html", "converse", "502")])
def test_errors(traced, script, path, error):
    _, span, _ = asked(traced, f"/model/us.amazon.nova-lite-v1:0.sim.{script}/{path}", NATIVE)
    assert span["error.type"] == error


def test_what_is_no_trace_is_not_logged(traced):
    for wrong in ("", "x", TRACE + "-more", TRACE.upper(), f'{TRACE}","team":"other'):
        assert asked(traced, "/model/us.amazon.nova-lite-v1:0/converse", NATIVE, traceparent=wrong)[2]["traceparent"] == ""
