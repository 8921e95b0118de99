"""Where AWS keeps credentials, on one port of 127.0.0.1: the instance metadata service (version 2 only), the endpoint of ECS and
EKS Pod Identity, and STS. The keys live for seconds, and every one of them is remembered with where it came from, so that an
upstream can tell which key a request was signed with, and whether it was in force."""

import json
import secrets
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from sigv4 import Expired, Wrong, verify

INSTANCE_ROLE = "the-instance-role"
# What reaches the log while the keys are in force is judged when the request came in; it was signed a moment before.
GRACE = 0.5


class Key:
    """What was given out, and for what."""

    def __init__(self, source, lifetime, role=None, session=None):
        mark = secrets.token_hex(8)
        self.id = f"ASIA{mark.upper()}"
        self.secret = f"SECRET/{mark}+key"
        self.token = f"TOKEN/{mark}=="
        # AWS's times have no fractions.
        self.expires = int(time.time() + lifetime)
        self.source, self.role, self.session = source, role, session

    @property
    def expiration(self):
        return datetime.fromtimestamp(self.expires, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Keys:
    """All keys by their id, as sigv4.verify wants them; one that is past its time, or revoked, is Expired."""

    def __init__(self, lasting):
        self._lasting = dict(lasting)
        self.given = {}
        self.revoked = set()

    def __contains__(self, key_id):
        return key_id in self._lasting or key_id in self.given

    def __getitem__(self, key_id):
        if key_id in self._lasting:
            return self._lasting[key_id]
        key = self.given[key_id]
        if key_id in self.revoked or time.time() > key.expires + GRACE:
            raise Expired(f"key of {key.source} expired {time.time() - key.expires:.1f} s ago")
        return key.secret, key.token

    def revoke_all(self):
        self.revoked |= set(self.given)

    def secrets(self):
        return [key.secret for key in self.given.values()] + [secret for secret, _ in self._lasting.values()]

    def tokens(self):
        return [key.token for key in self.given.values()]


class Endpoints:
    """All of them. mood: ok, slow, garbage, 500, expired (what it gives out has expired); down() and up()."""

    def __init__(self, lasting=(), lifetime=3600):
        self.keys = Keys(lasting)
        self.lifetime = lifetime
        self.mood, self.seconds = "ok", 0
        self.asked = []
        self.running = self.most_running = 0
        self.container_authorization = "the container's authorization"
        self.web_identity_token = "web.identity.token"
        self.external_id = None
        self._metadata_token = secrets.token_hex(16)
        self._lock = threading.Lock()
        self.port = 0
        self.up()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def up(self):
        endpoints = self

        class Handler(_Handler):
            pass

        Handler.endpoints = endpoints
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self):
        """Connections are refused."""
        self._server.shutdown()
        self._server.server_close()

    close = down

    def fetches(self):
        """How often keys were asked for, whatever the answer."""
        return len(self.asked)

    def newest(self):
        return list(self.keys.given.values())[-1]

    def of(self, request):
        """The key that a request of the upstream was signed with."""
        authorization = dict((name.lower(), value) for name, value in request["headers"])["authorization"]
        key_id = authorization.split("Credential=")[1].split("/")[0]
        return self.keys.given.get(key_id)

    def give(self, source, **more):
        key = Key(source, -60 if self.mood == "expired" else self.lifetime, **more)
        self.keys.given[key.id] = key
        return key


class _Handler(BaseHTTPRequestHandler):
    _counted = False  # whether Endpoints.running counts the request
    endpoints = None

    def do_PUT(self):
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        if self.path != "/latest/api/token" or not ttl:
            return self._send(400, "")
        self._send(200, self.endpoints._metadata_token, {"X-aws-ec2-metadata-token-ttl-seconds": ttl})

    def do_GET(self):
        endpoints = self.endpoints
        if self.path.startswith("/latest/"):
            if self.headers.get("X-aws-ec2-metadata-token") != endpoints._metadata_token:
                return self._send(401, "")
            folder = "/latest/meta-data/iam/security-credentials/"
            if self.path == folder:
                return self._send(200, INSTANCE_ROLE)
            if self.path != folder + INSTANCE_ROLE:
                return self._send(404, "")
            return self._answer("imds", lambda: self._json(endpoints.give("imds", role=INSTANCE_ROLE), Code="Success"))
        if self.path == "/container":
            if self.headers.get("Authorization") != endpoints.container_authorization:
                return self._answer("container", lambda: self._send(403, "wrong Authorization"))
            return self._answer("container", lambda: self._json(endpoints.give("container")))
        return self._send(404, "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        action = form.get("Action", "")
        try:
            if action == "AssumeRole":
                verify("POST", self.path, self.headers.items(), body, self.endpoints.keys, service="sts")
                if form.get("ExternalId") != self.endpoints.external_id:
                    raise Wrong("another external id")
            elif action != "AssumeRoleWithWebIdentity":
                raise Wrong("no such action")
            elif form["WebIdentityToken"] != self.endpoints.web_identity_token:
                raise Wrong("another web identity token")
        except Wrong as wrong:
            text = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{wrong}</Message></Error></ErrorResponse>"
            return self._answer(action, lambda: self._send(403, text))

        def give():
            key = self.endpoints.give(action, role=form["RoleArn"], session=form["RoleSessionName"])
            self._send(
                200,
                f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
                f"<AccessKeyId>{key.id}</AccessKeyId><SecretAccessKey>{key.secret}</SecretAccessKey>"
                f"<SessionToken>{key.token}</SessionToken><Expiration>{key.expiration}</Expiration></Credentials>"
                f"<AssumedRoleUser><Arn>{key.role}</Arn><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser>"
                f"</{action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>",
                {"Content-Type": "text/xml"},
            )

        self._answer(action, give)

    def _json(self, key, **more):
        members = {"AccessKeyId": key.id, "SecretAccessKey": key.secret, "Token": key.token, "Expiration": key.expiration}
        self._send(200, json.dumps({**more, **members}), {"Content-Type": "application/json"})

    def _answer(self, what, give):
        """As the mood is."""
        endpoints = self.endpoints
        mood = endpoints.mood
        with endpoints._lock:
            endpoints.asked.append(what)
            endpoints.running += 1
            endpoints.most_running = max(endpoints.most_running, endpoints.running)
        self._counted = True
        try:
            if mood == "slow":
                end = time.monotonic() + endpoints.seconds
                while time.monotonic() < end and endpoints.mood == "slow":
                    time.sleep(0.02)
            if mood == "garbage":
                # Half an answer, with keys in it that must not turn up in a log.
                key = endpoints.give("garbage")
                self._send(200, f'{{"Code":"Success","AccessKeyId":"{key.id}","Token":"{key.token}","SecretAccessKey":"{key.secret}')
            elif mood == "500":
                self._send(500, "Internal Server Error")
            else:
                give()
        finally:
            self._finished()

    def _finished(self):
        """Once for each request, before its answer leaves: with the answer in hand the next request may come at once."""
        if self._counted:
            self._counted = False
            with self.endpoints._lock:
                self.endpoints.running -= 1

    def _send(self, status, body, headers=()):
        self._finished()
        try:
            self.send_response(status)
            for name, value in dict(headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())
        except OSError:
            # Whoever asked has gone.
            pass

    def log_message(self, *_):
        pass
