"""`bedrock_api aws`: anything of AWS's, by boto3's own clients, signed anew. What arrives is checked with botocore's signer."""

import json
import re
import struct
import threading
import urllib.error
import urllib.request
from binascii import crc32
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import botocore.exceptions
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from conftest import KEY_ID, SECRET, defaults


def frame(payload, **headers):
    """An event of an event stream."""
    head = b""
    for name, value in headers.items():
        name = ":" + name.replace("_", "-")
        head += struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack("!I", crc32(prelude)) + head + payload
    return message + struct.pack("!I", crc32(message))


def event(kind, body):
    return frame(json.dumps(body).encode(), message_type="event", event_type=kind, content_type="application/json")


def trace(usage):
    output = {"modelInvocationOutput": {"metadata": {"usage": usage}}}
    return event("trace", {"agentId": "AGENT12345", "trace": {"orchestrationTrace": output}})


AGENT = [trace({"inputTokens": 5, "outputTokens": 7}), event("chunk", {"bytes": "SGVsbG8="}), trace({"inputTokens": 100, "outputTokens": 20})]
THROTTLED = frame(b'{"message":"slow down"}', message_type="exception", exception_type="throttlingException", content_type="application/json")

# Method and path (as sent), and what comes back.
ANSWERS = [
    ("GET", r"/foundation-models\?.*", {"modelSummaries": [{"modelId": "amazon.nova-lite-v1:0", "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"}]}),
    ("GET", r"/foundation-models/amazon\.nova-lite-v1%3A0", {"modelDetails": {"modelId": "amazon.nova-lite-v1:0", "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"}}),
    ("GET", r"/inference-profiles.*", {"inferenceProfileSummaries": []}),
    ("GET", r"/guardrails.*", {"guardrails": []}),
    ("POST", r"/rerank", {"results": [{"index": 1, "relevanceScore": 0.9}]}),
    ("POST", r"/knowledgebases/KB12345678/retrieve", {"retrievalResults": [{"content": {"text": "found"}}]}),
    ("POST", r"/retrieveAndGenerate", {"sessionId": "s", "output": {"text": "found"}}),
    ("POST", r"/agents/AGENT12345/agentAliases/ALIAS12345/sessions/s-1/text", AGENT),
    ("POST", r"/agents/THROTTLED1/agentAliases/ALIAS12345/sessions/s-1/text", [THROTTLED]),
    ("POST", r"/agents/BREAKSDOWN/agentAliases/ALIAS12345/sessions/s-1/text", [AGENT[1], THROTTLED]),
    ("POST", r"/agents/DAMAGED123/agentAliases/ALIAS12345/sessions/s-1/text", [AGENT[1], AGENT[1][:-1] + b"x"]),
    ("POST", r"/agents/TRUNCATED1/agentAliases/ALIAS12345/sessions/s-1/text", [AGENT[1], AGENT[1][:-5]]),
    ("POST", r"/async-invoke", {"invocationArn": "arn:aws:bedrock:us-east-1:123456789012:async-invoke/abcdefghijkl"}),
    ("GET", r"/async-invoke/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aasync-invoke%2Fabcdefghijkl", {"invocationArn": "arn:aws:bedrock:us-east-1:123456789012:async-invoke/abcdefghijkl", "modelArn": "m", "status": "Completed", "submitTime": "2026-01-01T00:00:00Z", "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://b"}}}),
    ("DELETE", r"/guardrails/gr1.*", {}),
    ("HEAD", r"/anything", {}),
    ("HEAD", r"/no-events", []),
    ("POST", r"/no-events", []),
    ("HEAD", r"/refused", None),
    ("POST", r"/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A123456789012%3Aruntime%2Fr/invocations(\?.*)?", "data: one\n\ndata: two\n\n"),
    ("POST", r"/model/amazon\.nova-lite-v1%3A0/converse", {"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn", "usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}, "metrics": {"latencyMs": 7}}),
]


def fault_of(handler, body, service):
    """Why botocore would not have sent this; None if it would."""
    match = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=(.*), SignedHeaders=(.*), Signature=(.*)", handler.headers.get("Authorization", ""))
    if not match:
        return "not signed"
    scope, signed, signature = match.groups()
    region = scope.split("/")[2]
    url = f"http://{handler.headers['Host']}{handler.path}"
    request = AWSRequest(handler.command, url, {name: handler.headers[name] for name in signed.split(";")}, body)
    request.context["timestamp"] = handler.headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials(KEY_ID, SECRET), service, region)
    canonical = signer.canonical_request(request)
    expected = signer.signature(signer.string_to_sign(request, canonical), request)
    if scope.split("/", 1)[1] != f"{handler.headers['X-Amz-Date'][:8]}/{region}/{service}/aws4_request":
        return f"the scope is {scope}"
    unsigned = {name.lower() for name in handler.headers if name.lower().startswith("x-amz")} - set(signed.split(";")) - {"x-amzn-trace-id"}
    if unsigned:
        return f"not signed: {unsigned}"
    return None if expected == signature else f"another signature:\n{canonical}"


class Aws:
    """Some of AWS's services at one port; keeps what came."""

    def __init__(self):
        self.requests = []
        self.service = "bedrock"
        aws = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fault = fault_of(self, body, aws.service)
                aws.requests.append({"method": self.command, "target": self.path, "headers": self.headers, "body": body, "fault": fault})
                found = [answer for method, path, answer in ANSWERS if method == self.command and re.fullmatch(path, self.path)]
                answer, status, kind = found[0] if found else {"message": "no such path"}, 200 if found else 404, "application/json"
                if fault or answer is None:
                    answer, status = {"message": fault}, 403
                if isinstance(answer, list):
                    answer, kind = b"".join(answer), "application/vnd.amazon.eventstream"
                elif isinstance(answer, str):
                    answer, kind = answer.encode(), "text/event-stream"
                else:
                    answer = json.dumps(answer).encode()
                self.send_response(status)
                if status >= 400:
                    self.send_header("x-amzn-ErrorType", "ResourceNotFoundException" if found == [] else "AccessDeniedException" if fault else "InvalidSignatureException")
                self.send_header("Content-Type", kind)
                if "eventstream" in kind:  # as AWS sends them
                    self.send_header("Transfer-Encoding", "chunked")
                    answer = f"{len(answer):x}\r\n".encode() + answer + b"\r\n0\r\n\r\n"
                else:
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = any

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def aws():
    one = Aws()
    yield one
    one.close()


@pytest.fixture
def gateway(nginx, aws):
    locations = """
    location /       { bedrock on; bedrock_api aws; proxy_pass http://bedrock; }
    location /team/  { rewrite ^/team(/.*)$ $1 break; bedrock on; bedrock_api aws; proxy_pass http://bedrock; }
    location /core/  { rewrite ^/core(/.*)$ $1 break; bedrock on; bedrock_api aws; bedrock_service bedrock-agentcore; proxy_pass http://bedrock; }
    location /off/   { rewrite ^/off(/.*)$ $1 break; bedrock on; bedrock_api aws; bedrock_auth off; proxy_pass http://bedrock; }
    """
    return nginx(locations, defaults(aws.port))


def client(service, url):
    return boto3.client(
        service, endpoint_url=url, region_name="us-west-2", aws_access_key_id="CLIENT", aws_secret_access_key="the client's",
        aws_session_token="the client's token", config=Config(retries={"total_max_attempts": 1}, read_timeout=20, proxies={}),
    )


def test_the_control_plane(gateway, aws):
    bedrock = client("bedrock", gateway.url)
    (model,) = bedrock.list_foundation_models(byProvider="amazon", byOutputModality="TEXT")["modelSummaries"]
    assert model["modelId"] == "amazon.nova-lite-v1:0"
    assert bedrock.get_foundation_model(modelIdentifier="amazon.nova-lite-v1:0")["modelDetails"]
    assert bedrock.list_inference_profiles(maxResults=5, nextToken="a+b/c==&ü", typeEquals="APPLICATION")["inferenceProfileSummaries"] == []
    assert bedrock.list_guardrails()["guardrails"] == []
    bedrock.delete_guardrail(guardrailIdentifier="gr1", guardrailVersion="1")
    assert [request["fault"] for request in aws.requests] == [None] * 5
    assert [request["method"] for request in aws.requests] == ["GET"] * 4 + ["DELETE"]
    assert aws.requests[2]["target"] == "/inference-profiles?maxResults=5&nextToken=a%2Bb%2Fc%3D%3D%26%C3%BC&type=APPLICATION"
    assert all("Content-Length" not in request["headers"] for request in aws.requests)
    assert all("CLIENT" not in str(request["headers"]) and "token" not in str(request["headers"]).lower() for request in aws.requests)
    log = gateway.next_log()
    assert (log["operation"], log["api"], log["model"], log["uri"]) == ("other", "aws", None, "/foundation-models?byProvider=amazon&byOutputModality=TEXT")


def test_agents_and_knowledge_bases(gateway, aws):
    runtime = client("bedrock-agent-runtime", gateway.url + "/team")
    ranked = runtime.rerank(
        queries=[{"type": "TEXT", "textQuery": {"text": "q"}}],
        sources=[{"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": "d"}}}],
        rerankingConfiguration={"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": {"modelConfiguration": {"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"}}},
    )
    assert ranked["results"][0]["index"] == 1
    assert runtime.retrieve(knowledgeBaseId="KB12345678", retrievalQuery={"text": "q"})["retrievalResults"]
    assert runtime.retrieve_and_generate(input={"text": "q"})["output"]["text"] == "found"
    gateway.skip_log()
    answer = runtime.invoke_agent(agentId="AGENT12345", agentAliasId="ALIAS12345", sessionId="s-1", inputText="q", enableTrace=True)
    events = list(answer["completion"])
    assert [list(one)[0] for one in events] == ["trace", "chunk", "trace"] and events[1]["chunk"]["bytes"] == b"Hello"
    assert [request["fault"] for request in aws.requests] == [None] * 4
    log = gateway.next_log()
    assert (log["operation"], log["stream_status"]) == ("other", "complete")
    assert (log["input_tokens"], log["output_tokens"], log["total_tokens"]) == ("105", "27", "132")
    assert float(log["time_to_first_token"]) >= 0


def invoke(gateway, agent):
    runtime = client("bedrock-agent-runtime", gateway.url)
    return runtime.invoke_agent(agentId=agent, agentAliasId="ALIAS12345", sessionId="s-1", inputText="q")["completion"]


def test_a_first_exception_is_a_status(gateway):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        invoke(gateway, "THROTTLED1")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"


def test_a_later_exception_is_in_the_stream(gateway):
    with pytest.raises(botocore.exceptions.EventStreamError):
        list(invoke(gateway, "BREAKSDOWN"))
    assert gateway.next_log()["stream_status"] == "exception"


@pytest.mark.parametrize("agent, status", [("DAMAGED123", "corrupt"), ("TRUNCATED1", "truncated")])
def test_what_is_broken_does_not_look_whole(gateway, agent, status):
    with pytest.raises(Exception):
        list(invoke(gateway, agent))
    assert gateway.next_log()["stream_status"] == status


def test_async_invoke(gateway, aws):
    runtime = client("bedrock-runtime", gateway.url + "/team")
    arn = runtime.start_async_invoke(modelId="amazon.nova-reel-v1:0", modelInput={"a": 1}, outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://b"}})["invocationArn"]
    assert runtime.get_async_invoke(invocationArn=arn)["status"] == "Completed"
    assert [request["fault"] for request in aws.requests] == [None] * 2


def test_known_answers_are_read(gateway):
    answer = client("bedrock-runtime", gateway.url).converse(modelId="amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    assert answer["usage"]["totalTokens"] == 8
    log = gateway.next_log()
    assert (log["operation"], log["api"], log["model"]) == ("converse", "aws", "amazon.nova-lite-v1:0")
    assert (log["input_tokens"], log["output_tokens"], log["stop_reason"]) == ("3", "5", "end_turn")


def test_another_service(gateway, aws):
    aws.service = "bedrock-agentcore"
    core = client("bedrock-agentcore", gateway.url + "/core")
    arn = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/r"
    answer = core.invoke_agent_runtime(agentRuntimeArn=arn, payload=b'{"q":1}', runtimeSessionId="s" * 33, mcpSessionId="m", traceParent="00-1-2-03")
    assert answer["response"].read() == b"data: one\n\ndata: two\n\n"
    (request,) = aws.requests
    assert request["fault"] is None
    assert request["headers"]["X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"] == "s" * 33
    assert request["headers"]["Mcp-Session-Id"] == "m" and request["headers"]["traceparent"]


def raw(gateway, method, target, **headers):
    request = urllib.request.Request(gateway.url + target, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_what_signers_may_read_otherwise_is_spelt_their_way(gateway, aws):
    for target, sent in [
        ("/foundation-models?b=2&a=1&a", "/foundation-models?b=2&a=1&a"),
        ("/foundation-models?a=x+y%2fz:q", "/foundation-models?a=x%20y%2Fz%3Aq"),
        ("/foundation-models/amazon.nova-lite-v1:0", "/foundation-models/amazon.nova-lite-v1%3A0"),
        ("/foundation-models?a-b=1&a=2&=&==", None),
    ]:
        status, body = raw(gateway, "GET", target)
        assert (status, aws.requests[-1]["fault"]) == (200, None), body
        assert sent in (None, aws.requests[-1]["target"])


def test_what_is_not_read_alike_is_refused(gateway, aws):
    import http.client

    for target in ["/a//b", "/a/./b", "/a/%2e%2e/b", "/a%2F..%2Fb", "/a/%ff", "/a?x=%f", "/a?X-Amz-Signature=1", "/a?b&x-amz-credential=c"]:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
        connection.putrequest("GET", target, skip_host=False)
        connection.endheaders()
        assert connection.getresponse().status == 400, target
        connection.close()
    assert aws.requests == []


def test_head_and_headers(gateway, aws):
    status, body = raw(gateway, "HEAD", "/anything", **{"Cookie": "c", "X-Amz-Target": "T", "X-Amz-Date": "old", "X-Amz-Content-Sha256": "no", "X-Api-Key": "k", "X-Forwarded-For": "1.1.1.1"})
    assert (status, body) == (200, b"")
    (request,) = aws.requests
    assert request["fault"] is None and request["headers"]["X-Amz-Target"] == "T"
    assert not {"cookie", "x-api-key", "x-forwarded-for", "x-amz-content-sha256"} & {name.lower() for name in request["headers"]}


def test_an_error_in_place_of_an_answer_to_head_has_no_body(gateway):
    """What followed the header would be read as the next answer on the connection."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    for target, status in [("/refused", 502), ("/anything", 200), ("/refused", 502), ("/no-events", 200), ("/anything", 200)]:
        connection.request("HEAD", target)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (status, b""), target
    connection.close()


def test_an_event_stream_without_events_is_an_answer(gateway):
    assert raw(gateway, "POST", "/no-events") == (200, b"")
    assert gateway.next_log()["stream_status"] == "complete"


def test_clients_that_sign_for_themselves(gateway, aws):
    status, _ = raw(gateway, "GET", "/off/foundation-models?a=b+c%2f", Authorization="AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=0", **{"X-Amz-Date": "20260101T000000Z"})
    assert status == 403  # by the upstream: the signature is none
    (request,) = aws.requests
    assert request["target"] == "/foundation-models?a=b+c%2f" and request["headers"]["X-Amz-Date"] == "20260101T000000Z"
    assert raw(gateway, "GET", "/off/foundation-models")[0] == 403 and len(aws.requests) == 1
