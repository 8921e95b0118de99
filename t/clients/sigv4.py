"""Signature Version 4, from AWS's description of it and with Python's own hashes only, so that nothing is shared with what
it checks. And an upstream that checks every request it gets, as raw as it came."""

import hashlib
import hmac
import json
import re
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Your signature is right."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8},
    "metrics": {"latencyMs": 7},
}


class Wrong(Exception):
    """Why a request would be refused."""


class Expired(Wrong):
    """The key was right, but is no longer."""


def _mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def verify(method, target, headers, body, keys, region="us-east-1", service="bedrock", now=None):
    """Raises Wrong unless the request is signed right. headers: (name, value) pairs as sent; keys: id -> (secret, token), and
    what keys[id] raises is raised."""
    values = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(" ".join(value.split()))

    def one(name):
        if len(values.get(name, [])) != 1:
            raise Wrong(f"{len(values.get(name, []))} headers {name}")
        return values[name][0]

    match = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
        r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})",
        one("authorization"),
    )
    if not match:
        raise Wrong(f"Authorization is {one('authorization')!r}")
    key_id, day, its_region, its_service, signed, signature = match.groups()
    if (its_region, its_service) != (region, service):
        raise Wrong(f"signed for {its_service} in {its_region}")
    if key_id not in keys:
        raise Wrong(f"unknown key {key_id}")
    secret, token = keys[key_id]

    date = one("x-amz-date")
    when = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    if abs((now or datetime.now(timezone.utc)) - when) > timedelta(minutes=5) or not date.startswith(day):
        raise Wrong(f"signed at {date}, on {day}")

    names = signed.split(";")
    must = {"host"} | {name for name in values if name.startswith("x-amz-")}
    if names != sorted(set(names)) or not must <= set(names):
        raise Wrong(f"signed headers are {names}, must have {sorted(must)}")
    if token is not None and one("x-amz-security-token") != token:
        raise Wrong("another session token")
    if token is None and "x-amz-security-token" in values:
        raise Wrong("a session token for a key that has none")

    digest = hashlib.sha256(body).hexdigest()
    if one("x-amz-content-sha256") != digest if "x-amz-content-sha256" in values else False:
        raise Wrong("x-amz-content-sha256 is not that of the body")

    path, _, query = target.partition("?")
    canonical = "\n".join(
        [
            method,
            quote(path, safe="/-_.~"),  # as sent, and encoded once more: that is every service's rule but S3's
            "&".join(sorted(part if "=" in part else part + "=" for part in query.split("&") if part)),
            *(f"{name}:{','.join(values.get(name, []))}" for name in names),
            "",
            signed,
            digest,
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = _mac(key, part)
    if not hmac.compare_digest(_mac(key, text).hex(), signature):
        raise Wrong(f"the signature does not fit:\n{canonical}")


class Verifier:
    """An upstream that answers 200 to what is signed right, 403 with the reason to the rest, and keeps all."""

    def __init__(self, keys):
        self.keys = keys
        self.api_keys = set()
        self.requests = []
        verifier = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                target = self.requestline.split(" ")[1]
                fault, kind = None, "AccessDeniedException"
                try:
                    scheme, _, bearer = self.headers.get("Authorization", "").partition(" ")
                    if scheme != "Bearer":
                        verify(self.command, target, self.headers.items(), body, verifier.keys)
                    elif bearer not in verifier.api_keys:
                        raise Wrong("unknown API key")
                except Expired as wrong:
                    fault, kind = str(wrong), "ExpiredTokenException"
                except Wrong as wrong:
                    fault = str(wrong)
                verifier.requests.append(
                    {"target": target, "headers": self.headers.items(), "body": body, "fault": fault}
                )
                answer = json.dumps({"message": fault} if fault else ANSWER).encode()
                self.send_response(403 if fault else 200)
                if fault:
                    self.send_header("x-amzn-ErrorType", kind)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 512

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
