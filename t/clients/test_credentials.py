"""Credentials from everywhere AWS keeps them, always fresh. Behind the gateway is an upstream that knows which keys are in force."""

import http.client
import json
import os
import re
import signal
import socket
import stat
import tempfile
import threading
import time
from pathlib import Path

import pytest

from aws_endpoints import INSTANCE_ROLE, Endpoints
from conftest import KEY_ID, LOCATION, ROOT, SECRET, eventually
from sigv4 import ANSWER, Verifier

ROLE = "arn:aws:iam::123456789012:role/gateway"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]})
STATIC = f"source static; access_key_id {KEY_ID}; secret_access_key {SECRET};"
MOODS = pytest.mark.parametrize("mood", ["down", "slow", "garbage", "500", "expired"])


@pytest.fixture
def aws():
    endpoints = Endpoints({KEY_ID: (SECRET, None)})
    yield endpoints
    endpoints.mood = "ok"
    endpoints.close()


@pytest.fixture
def upstream(aws):
    one = Verifier(aws.keys)
    yield one
    one.close()


@pytest.fixture
def gateway(nginx, upstream, aws):
    """gateway(block, env={}, server=LOCATION, http="", main="", workers=1) starts nginx with that block; after the test its log is
    looked at."""
    started = []

    def start(block, env=(), server=LOCATION, http="", main="", workers=1):
        block = f"bedrock_credentials it {{ {block} }} bedrock_auth it;" if block else ""
        settings = f"""
        upstream bedrock {{ server 127.0.0.1:{upstream.port}; keepalive 16; }}
        {block}
        bedrock_region   us-east-1;
        bedrock_endpoint 127.0.0.1:{upstream.port};
        include          {ROOT}/nginx-conf/bedrock_params;
        {http}
        """
        # The profile files of whoever runs the tests take no part.
        env = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", **dict(env)}
        started.append(nginx(server, settings, main, env, workers))
        return started[-1]

    yield start
    for one in started:
        began = time.monotonic()
        one.close()
        assert time.monotonic() - began < 1, "quit takes long"
        for fault in "[alert]", "[emerg]", "open socket", "panic", "exited on signal":
            assert fault not in one.errors(), one.errors()


def imds(aws, **more):
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": aws.url, **more}


def container(aws, **more):
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{aws.url}/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": aws.container_authorization,
        **more,
    }


def connect(gateway):
    return http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)


def ask(gateway, connection=None, path="/model/a.model/converse"):
    connection = connection or connect(gateway)
    connection.request("POST", path, BODY, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer


def status(gateway):
    return ask(gateway)[0]


def works(gateway, upstream):
    """One request, and the key that it was signed with."""
    code, body, _ = ask(gateway)
    assert (code, json.loads(body)) == (200, ANSWER), (body, gateway.errors())
    assert upstream.requests[-1]["fault"] is None
    return upstream.requests[-1]


def check_that_it_is_unavailable(gateway, quick=True):
    began = time.monotonic()
    code, body, answer = ask(gateway)
    assert code == 503, (body, gateway.errors())
    assert answer.getheader("x-amzn-ErrorType") == "ServiceUnavailableException" and "message" in json.loads(body)
    if quick:
        assert time.monotonic() - began < 1
    for word in "role", "credential", "ASIA", "AKID", "file", "imds":
        assert word not in body


def errors(gateway, text):
    return [line for line in gateway.errors().splitlines() if "[error]" in line and text in line]


def put(path, text):
    """Writes a file as a kubelet does: the new one takes the place of the old one."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
    return path


# Where keys come from.


def test_static(gateway, upstream):
    works(gateway(STATIC), upstream)


def test_environment(gateway, upstream):
    works(gateway("source environment;", {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}), upstream)


def test_static_from_files(gateway, upstream, tmp_path, aws):
    key = aws.give("files")
    for name, text in ("id", key.id), ("secret", key.secret), ("token", key.token):
        (tmp_path / name).write_text(text + "\n")
    block = "source static; access_key_id file:{0}/id; secret_access_key file:{0}/secret; session_token file:{0}/token;"
    one = gateway(block.format(tmp_path))
    assert aws.of(works(one, upstream)) is key
    # All three are another's from now on.
    other = aws.give("files")
    for name, text in ("id", other.id), ("secret", other.secret), ("token", other.token):
        put(tmp_path / name, text)
    aws.keys.revoke_all()
    aws.keys.revoked.discard(other.id)
    assert eventually(lambda: status(one) == 200, 5), one.errors()
    assert aws.of(upstream.requests[-1]) is other


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: master and workers of different users")
def test_files_that_only_root_may_read(gateway, upstream, aws):
    """The workers are somebody else; what the master read counts. One line for all workers says that changes need a reload."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        secret = directory / "secret"
        secret.write_text(SECRET)
        secret.chmod(stat.S_IRUSR)
        block = f"source static; access_key_id {KEY_ID}; secret_access_key file:{secret};"
        one = gateway(block, main="user nobody nogroup;", workers=3)
        for _ in range(6):
            works(one, upstream)

        def notices():
            return [line for line in one.errors().splitlines() if "its workers may not read the files" in line]

        assert eventually(notices), one.errors()
        time.sleep(1.5)     # until each worker has looked again
        assert len(notices()) == 1 and "[notice]" in notices()[0] and "cannot read" in notices()[0], one.errors()
        assert "[error]" not in one.errors()
        # There are other keys, and nobody here may read them: that is an error.
        secret.write_text("another")
        assert eventually(lambda: errors(one, 'credentials "it" could not be fetched; the last ones serve')), one.errors()
        works(one, upstream)


@pytest.mark.parametrize("file", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_profile(gateway, upstream, tmp_path, file):
    path = tmp_path / "profiles"
    head = "profile dev" if file == "AWS_CONFIG_FILE" else "dev"
    path.write_text(f"[default]\naws_access_key_id=A\naws_secret_access_key=B\n[{head}]\naws_access_key_id={KEY_ID}\naws_secret_access_key={SECRET}\n")
    works(gateway("source profile dev;", {file: str(path)}), upstream)


def test_profile_at_home(gateway, upstream, tmp_path, nginx):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(f"[default]\naws_access_key_id={KEY_ID}\naws_secret_access_key={SECRET}\n")
    # An empty variable is as good as none.
    env = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": "", "AWS_SHARED_CREDENTIALS_FILE": ""}
    works(gateway("source profile default;", env), upstream)


def test_a_profile_with_a_process(gateway, upstream, tmp_path):
    path = tmp_path / "profiles"
    path.write_text(f"[profile dev]\ncredential_process = {process(tmp_path, KEY_ID, SECRET)}\n")
    works(gateway("source profile dev;", {"AWS_CONFIG_FILE": str(path)}), upstream)


@pytest.mark.parametrize("by", ["parameters", "environment"])
def test_web_identity(gateway, upstream, tmp_path, aws, by):
    token = tmp_path / "token"
    token.write_text(aws.web_identity_token)
    block, env = f"source web_identity; role_arn {ROLE}; token_file {token}; session_name me; ", {}
    if by == "environment":
        block = "source web_identity;"
        env = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_SESSION_NAME": "me"}
    key = aws.of(works(gateway(f"{block} sts_endpoint {aws.url};", env), upstream))
    assert (key.source, key.role, key.session) == ("AssumeRoleWithWebIdentity", ROLE, "me")


def test_container(gateway, upstream, aws):
    assert aws.of(works(gateway("source container;", container(aws)), upstream)).source == "container"


def test_imds(gateway, upstream, aws):
    key = aws.of(works(gateway("source imds;", imds(aws)), upstream))
    assert (key.source, key.role) == ("imds", INSTANCE_ROLE)


def process(directory, key_id, secret, token=None, expiration=None, before=""):
    """A command that prints these keys."""
    keys = {"Version": 1, "AccessKeyId": key_id, "SecretAccessKey": secret, "SessionToken": token, "Expiration": expiration}
    text = json.dumps({name: value for name, value in keys.items() if value})
    script = directory / "process"
    new = directory / "process.new"
    new.write_text(f"#!/bin/sh\n{before}\necho run >>{directory}/runs\ncat <<'END'\n{text}\nEND\n")
    new.chmod(0o755)
    new.replace(script)
    return script


def test_process(gateway, upstream, aws, tmp_path):
    key = aws.give("process")
    one = gateway(f"source process {process(tmp_path, key.id, key.secret, key.token, key.expiration)};")
    assert aws.of(works(one, upstream)) is key


def test_process_again_and_again(gateway, upstream, aws, tmp_path):
    """nginx waits for children of its own; it must not take ours away."""
    aws.lifetime = 2

    def renew():
        key = aws.give("process")
        return process(tmp_path, key.id, key.secret, key.token, key.expiration)

    one = gateway(f"source process {renew()};")
    for _ in range(20):
        works(one, upstream)
        renew()
        time.sleep(0.1)
    assert len((tmp_path / "runs").read_text().splitlines()) > 4
    assert not errors(one, "could not be fetched"), one.errors()


def test_api_key(gateway, upstream, tmp_path):
    upstream.api_keys = {"an-api-key"}
    works(gateway("source api_key an-api-key;"), upstream)


def test_api_key_in_a_file_that_changes(gateway, upstream, tmp_path):
    path = put(tmp_path / "key", "one\n")
    upstream.api_keys = {"one"}
    gateways = [
        gateway(f"source api_key file:{path};"),
        gateway("", server=LOCATION.replace("bedrock on;", f"bedrock on; bedrock_auth bearer file:{path};")),
    ]
    for one in gateways:
        works(one, upstream)
    upstream.api_keys = {"two"}
    assert status(gateways[0]) == 502
    put(path, "two\n")
    for one in gateways:
        assert eventually(lambda: status(one) == 200, 5), one.errors()
    # Gone for a while: the last one serves on.
    path.unlink()
    for one in gateways:
        assert eventually(lambda: errors(one, "cannot read"), 5), one.errors()
        works(one, upstream)
    upstream.api_keys = {"three"}
    put(path, "three\n")
    for one in gateways:
        assert eventually(lambda: status(one) == 200, 5), one.errors()


@pytest.mark.parametrize("block", ["", "source default;"], ids=["unnamed", "named"])
@pytest.mark.parametrize("where", ["bearer", "keys", "profile", "container", "imds"])
def test_default(gateway, upstream, aws, tmp_path, block, where):
    """What is used when nothing is configured: an API key first, then AWS's chain."""
    upstream.api_keys = {"an-api-key"}
    keys = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    profiles = put(tmp_path / "profiles", f"[default]\naws_access_key_id={KEY_ID}\naws_secret_access_key={SECRET}\n")
    env = {
        "bearer": {"AWS_BEARER_TOKEN_BEDROCK": "an-api-key", **keys},
        "keys": {**keys, **container(aws)},
        "profile": {"AWS_SHARED_CREDENTIALS_FILE": str(profiles), **container(aws)},
        "container": {**container(aws), **imds(aws)},
        "imds": imds(aws),
    }[where]
    request = works(gateway(block, env), upstream)
    if where == "bearer":
        assert ("authorization", "Bearer an-api-key") in request["headers"]
    elif where in ("keys", "profile"):
        assert aws.of(request) is None and not aws.asked
    else:
        assert aws.of(request).source == where


# Roles.


@pytest.mark.parametrize("source", ["static", "environment", "imds", "container", "process", "default"])
def test_a_role_on_top(gateway, upstream, aws, tmp_path, source):
    aws.external_id = "an external id"
    block, env = f"source {source};", {}
    if source == "static":
        block = STATIC
    elif source in ("environment", "default"):
        env = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    elif source == "process":
        block = f"source process {process(tmp_path, KEY_ID, SECRET)};"
    else:
        env = {"imds": imds, "container": container}[source](aws)
    role = f'role_arn {ROLE}; session_name me; external_id "an external id"; sts_endpoint {aws.url};'
    key = aws.of(works(gateway(block + role, env), upstream))
    assert (key.source, key.role, key.session) == ("AssumeRole", ROLE, "me")


def test_a_role_that_is_refused(gateway, aws):
    """What STS says is in the log."""
    aws.external_id = "another"
    block = f"{STATIC} role_arn {ROLE}; sts_endpoint {aws.url};"
    one = gateway(block)
    check_that_it_is_unavailable(one)
    assert errors(one, 'credentials "it"') and errors(one, "another external id"), one.errors()


# Refresh.


class Load:
    """Requests without end in so many threads."""

    def __init__(self, gateway, threads=4, keepalive=True):
        self.answers = []
        self._keepalive = keepalive
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(gateway,)) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self, gateway):
        connection = connect(gateway)
        while not self._stop.is_set():
            try:
                self.answers.append(ask(gateway, connection if self._keepalive else None)[:2])
            except OSError as error:
                self.answers.append((0, str(error)))
                return

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.answers


@pytest.mark.parametrize("source", ["imds", "container", "web_identity", "role"])
def test_many_expiries_under_load(gateway, upstream, aws, tmp_path, source):
    aws.lifetime = 2.5
    token = put(tmp_path / "token", aws.web_identity_token)
    block, env = {
        "imds": ("source imds;", imds(aws)),
        "container": ("source container;", container(aws)),
        "web_identity": (f"source web_identity; role_arn {ROLE}; token_file {token}; sts_endpoint {aws.url};", {}),
        "role": (f"source imds; role_arn {ROLE}; sts_endpoint {aws.url};", imds(aws)),
    }[source]
    one = gateway(block, env)
    load = Load(one)
    end = time.time() + 5
    while time.time() < end:
        time.sleep(0.2)
        # The token of a pod changes too, and the old one counts no more.
        aws.web_identity_token = f"web.identity.{time.time()}"
        put(token, aws.web_identity_token)
    answers = load.stop()
    assert len(answers) > 100
    assert [answer for answer in answers if answer[0] != 200] == []
    assert [request["fault"] for request in upstream.requests if request["fault"]] == []
    used = {aws.of(request).id for request in upstream.requests}
    assert len(used) >= 5
    assert aws.most_running == 1
    # Fetches are paced: a life of two seconds is renewed after an eighth of it.
    assert aws.fetches() < 5 * 12 * (2 if source == "role" else 1)


def test_the_containers_token_file_rotated(gateway, upstream, aws, tmp_path):
    aws.lifetime = 2
    path = put(tmp_path / "token", aws.container_authorization)
    env = {**container(aws), "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(path)}
    del env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    one = gateway("source container;", env)
    works(one, upstream)
    for number in range(3):
        aws.container_authorization = f"authorization {number}"
        put(path, aws.container_authorization)
        before = len(aws.keys.given)
        assert eventually(lambda: len(aws.keys.given) > before + 1), one.errors()
        works(one, upstream)


@MOODS
def test_an_endpoint_that_fails_and_recovers(gateway, upstream, aws, mood):
    """The last good keys serve until they expire; then 503 at once and a line in the log; then all is well again."""
    aws.lifetime = 3
    one = gateway("source container;", container(aws))
    last = aws.of(works(one, upstream))
    if mood == "down":
        aws.down()
    else:
        aws.mood, aws.seconds = mood, 60
    last = max(aws.keys.given.values(), key=lambda key: key.expires)
    good = {key.id for key in aws.keys.given.values() if key.expires > time.time()}
    while time.time() < last.expires - 0.6:
        assert aws.of(works(one, upstream)).id in good
        time.sleep(0.05)
    assert eventually(lambda: status(one) == 503, 4)
    if mood != "slow":
        assert eventually(lambda: errors(one, 'credentials "it" could not be fetched')), one.errors()
    seen = len(upstream.requests)
    for _ in range(10):
        check_that_it_is_unavailable(one)
    assert len(upstream.requests) == seen, "sent without keys in force"
    assert errors(one, 'credentials "it" have expired'), one.errors()
    assert aws.fetches() < 120, "asks without pause"
    aws.mood = "ok"
    if mood == "down":
        aws.up()
    aws.lifetime = 60
    assert eventually(lambda: status(one) == 200, 25), one.errors()
    assert [request["fault"] for request in upstream.requests if request["fault"]] == []
    if mood != "slow":
        assert eventually(lambda: "is well again" in one.errors()), one.errors()
    check_secrets(one, aws)


@MOODS
def test_an_endpoint_that_fails_at_first(gateway, upstream, aws, mood):
    """A request waits for an attempt that is under way; once that has failed none waits, and success is picked up."""
    if mood == "down":
        aws.down()
    else:
        aws.mood, aws.seconds = mood, 60
    if mood == "slow":
        one = gateway("source container;", container(aws), LOCATION.replace("on;", "on; bedrock_credentials_timeout 700ms;", 1))
        began = time.monotonic()
        check_that_it_is_unavailable(one, quick=False)
        assert 0.6 < time.monotonic() - began < 1.5
        assert errors(one, 'no credentials "it" yet')
    else:
        one = gateway("source container;", container(aws))
        assert eventually(lambda: errors(one, 'credentials "it" could not be fetched')), one.errors()
        for _ in range(10):
            check_that_it_is_unavailable(one)
        assert errors(one, 'no credentials "it": they could not be fetched'), one.errors()
    assert aws.fetches() < 30, "asks without pause"
    aws.mood = "ok"
    if mood == "down":
        aws.up()
    assert eventually(lambda: status(one) == 200, 15), one.errors()
    check_secrets(one, aws)


def test_no_credentials_anywhere(gateway, upstream, tmp_path):
    """Said as soon as it is known, before any request; then every request fails at once, until there are some."""
    profiles = tmp_path / "profiles"
    one = gateway("", {"AWS_SHARED_CREDENTIALS_FILE": str(profiles), "AWS_EC2_METADATA_DISABLED": "true"})
    assert eventually(lambda: errors(one, 'credentials "default" could not be fetched')), one.errors()
    for place in (
        "AWS_BEARER_TOKEN_BEDROCK is not set",
        "AWS_ACCESS_KEY_ID is not set",
        f'the profile "default" (/dev/null has no such keys, {profiles} is not there)',
        "AWS_WEB_IDENTITY_TOKEN_FILE is not set",
        "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
        "AWS_EC2_METADATA_DISABLED turns it off",
        "name another source with bedrock_credentials and bedrock_auth",
    ):
        assert errors(one, place), one.errors()
    for _ in range(10):
        check_that_it_is_unavailable(one)
    put(profiles, f"[default]\naws_access_key_id={KEY_ID}\naws_secret_access_key={SECRET}\n")
    assert eventually(lambda: status(one) == 200, 15), one.errors()
    works(one, upstream)


@pytest.mark.parametrize("role", ["", f"role_arn {ROLE};"], ids=["keys", "role"])
def test_no_credentials_for_the_first_step(gateway, role):
    one = gateway(f"source default; {role}", {"AWS_EC2_METADATA_DISABLED": "true"})
    assert eventually(lambda: errors(one, 'credentials "it" could not be fetched: nothing found in')), one.errors()
    check_that_it_is_unavailable(one)


def test_requests_that_wait_learn_that_there_are_none(gateway, upstream, tmp_path):
    """The attempt that they wait for fails: they wait no longer, whatever their location allows."""
    script = process(tmp_path, "A", "B")
    script.write_text("#!/bin/sh\nsleep 1\nexit 3\n")
    one = gateway(f"source process {script};", server=LOCATION.replace("on;", "on; bedrock_credentials_timeout 15s;", 1))
    began = time.monotonic()
    for client in [send(one) for _ in range(20)]:
        with client, client.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.1 503 "), one.errors()
    assert time.monotonic() - began < 3
    assert not upstream.requests
    process(tmp_path, KEY_ID, SECRET)
    assert eventually(lambda: status(one) == 200, 15), one.errors()


# Requests that wait.


def send(gateway):
    """A request on its way; its answer is not awaited."""
    client = socket.create_connection(("127.0.0.1", gateway.port), 20)
    head = f"POST /model/a.model/converse HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
    client.sendall(f"{head}Connection: close\r\n\r\n{BODY}".encode())
    return client


def test_200_requests_wait_for_one_fetch(gateway, upstream, aws):
    aws.mood, aws.seconds = "slow", 60
    server = f"{LOCATION} location /other {{ return 200 well; }}"
    one = gateway("source container;", container(aws), server)
    clients = [send(one) for _ in range(200)]
    # Nobody else is held up.
    began = time.monotonic()
    connection = connect(one)
    connection.request("GET", "/other")
    assert connection.getresponse().read() == b"well"
    assert time.monotonic() - began < 0.5
    assert eventually(aws.fetches) and not upstream.requests
    aws.mood = "ok"
    for client in clients:
        with client, client.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.1 200 "), one.errors()
    assert aws.fetches() == 1
    assert len(upstream.requests) == 200


def test_the_wait_is_bounded(gateway, upstream, aws):
    aws.mood, aws.seconds = "slow", 60
    server = """
    location /one/   { bedrock on; bedrock_credentials_timeout 300ms; proxy_pass http://bedrock; }
    location /three/ { bedrock on; bedrock_credentials_timeout 900ms; proxy_pass http://bedrock; }
    """
    one = gateway("source container;", container(aws), server)
    for path, least in ("/one", 0.3), ("/three", 0.9):
        began = time.monotonic()
        code, body, answer = ask(one, path=f"{path}/model/a.model/converse")
        assert least - 0.05 < time.monotonic() - began < least + 0.5
        assert code == 503 and json.loads(body)["message"]
        assert answer.getheader("x-amzn-ErrorType") == "ServiceUnavailableException"
    assert not upstream.requests


def test_error_page_takes_the_503(gateway, upstream, aws):
    """A fallback that is no gateway and takes long: nothing of the wait may reach into it."""
    aws.mood, aws.seconds = "slow", 60
    server = """
    location / { bedrock on; bedrock_credentials_timeout 200ms; error_page 503 = @other; proxy_pass http://bedrock; }
    location @other { bedrock_auth keys; bedrock on; proxy_pass http://bedrock; }
    """
    one = gateway("source container;", container(aws), server, f"bedrock_credentials keys {{ {STATIC} }}")
    works(one, upstream)
    assert one.next_log()["credentials"] == "keys"


# nginx ends a request whose client left by doing what post_action says, and only then frees it.
LEADS_ELSEWHERE = LOCATION.replace("}", "post_action @after; }") + " location @after { bedrock off; proxy_set_header Host x; proxy_pass http://127.0.0.1:1; }"


@pytest.mark.parametrize("server", [LOCATION, LEADS_ELSEWHERE], ids=["plain", "post_action"])
def test_clients_that_leave_while_they_wait(gateway, upstream, aws, server):
    """None is called when the keys come: freed memory is overwritten, so that whoever is would crash the worker."""
    aws.mood, aws.seconds = "slow", 60
    one = gateway("source container;", container(aws, MALLOC_PERTURB_="165"), server)
    workers = one.workers()
    for how in "FIN", "RST":
        for client in [send(one) for _ in range(20)]:
            if how == "RST":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
    stays = send(one)
    for _ in range(40):
        assert one.next_log()["status"] == "499"
    aws.mood = "ok"
    with stays, stays.makefile("rb") as answer:
        assert answer.read().startswith(b"HTTP/1.1 200 ")
    assert len(upstream.requests) == 1
    assert one.workers() == workers


# What AWS rejects.


def test_expired_for_aws(gateway, upstream, aws):
    """Ours say an hour, AWS says no: new ones are fetched, and the client learns no more than 502."""
    one = gateway("source container;", container(aws))
    works(one, upstream)
    aws.keys.revoke_all()
    for _ in range(3):
        code, body, answer = ask(one)
        if code == 200:
            break
        assert code == 502
        assert "ASIA" not in body and "expired" not in body.lower() and "token" not in body.lower()
        assert "Expired" not in (answer.getheader("x-amzn-ErrorType") or "")
    assert eventually(lambda: status(one) == 200, 3), one.errors()
    assert aws.of(upstream.requests[-1]) is aws.newest()
    assert aws.fetches() <= 3
    assert errors(one, "ExpiredTokenException")


# The life of a worker.


def sockets_to(port, pid):
    """How many connections a process has to that port."""
    inodes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(os.readlink(fd))
        except OSError:
            pass
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return sum(f"socket:[{line.split()[9]}]" in inodes and line.split()[2].endswith(f":{port:04X}") for line in lines)


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM], ids=lambda how: how.name)
@pytest.mark.parametrize("source", ["container", "imds", "web_identity", "process"])
def test_the_end_of_a_worker_that_fetches(gateway, aws, tmp_path, source, how):
    aws.mood, aws.seconds = "slow", 60
    token = put(tmp_path / "token", aws.web_identity_token)
    script = process(tmp_path, KEY_ID, SECRET, before=f"echo $$ >{tmp_path}/pid; sleep 61")
    block, env = {
        "container": ("source container;", container(aws)),
        "imds": ("source imds;", imds(aws)),
        "web_identity": (f"source web_identity; role_arn {ROLE}; token_file {token}; sts_endpoint {aws.url};", {}),
        "process": (f"source process {script};", {}),
    }[source]
    one = gateway(block, env)
    # The master listens before it has a worker.
    assert eventually(one.workers)
    (worker,) = one.workers()
    pid_file = tmp_path / "pid"
    assert eventually(lambda: pid_file.exists() and pid_file.read_text().strip() if source == "process" else aws.fetches())
    child = int(pid_file.read_text()) if source == "process" else None
    began = time.monotonic()
    one.process.send_signal(how)
    assert eventually(lambda: not Path(f"/proc/{worker}").exists(), 3), "the worker lives on"
    assert time.monotonic() - began < 1
    if child:
        assert eventually(lambda: not Path(f"/proc/{child}").exists() or zombie(child), 1), "the command lives on"
    if how != signal.SIGHUP:
        assert eventually(lambda: one.process.poll() is not None, 1)


def zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_reload_under_load(gateway, upstream, aws):
    aws.lifetime = 2
    one = gateway("source container;", container(aws))
    works(one, upstream)

    answers = []
    for _ in range(4):
        load = Load(one, 2, keepalive=False)
        before = one.workers()
        one.reload()
        time.sleep(0.3)
        answers += load.stop()
        assert eventually(lambda: not (before & one.workers()), 3), "old workers live on"
    assert {answer[0] for answer in answers} == {200}
    (worker,) = one.workers()
    assert eventually(lambda: sockets_to(aws.port, worker) <= 1)


def workers_ask(one, upstream, aws, count=40):
    """Requests over as many connections, so that each worker has some; the ids of the keys that they were signed with."""
    seen = len(upstream.requests)
    assert {status(one) for _ in range(count)} == {200}, one.errors()
    return {aws.of(request).id for request in upstream.requests[seen:]}


def test_one_fetch_for_all_workers(gateway, upstream, aws):
    aws.lifetime = 3600
    one = gateway("source container;", container(aws), workers=4)
    assert len(workers_ask(one, upstream, aws)) == 1
    assert eventually(lambda: aws.fetches() >= 1) and aws.fetches() == 1, one.errors()


def test_without_the_zone_each_worker_fetches(gateway, upstream, aws):
    aws.lifetime = 3600
    one = gateway("source container;", container(aws), http="bedrock_credentials_zone off;", workers=4)
    assert eventually(lambda: aws.fetches() == 4), one.errors()
    workers_ask(one, upstream, aws)


@pytest.mark.parametrize("mood", ["down", "slow", "500"])
def test_a_reload_keeps_good_keys_though_the_source_fails(gateway, upstream, aws, mood):
    aws.lifetime = 400
    one = gateway("source container;", container(aws), workers=2)
    (key,) = workers_ask(one, upstream, aws)
    if mood == "down":
        aws.down()
    else:
        aws.mood, aws.seconds = mood, 60
    for _ in range(3):
        before = one.workers()
        one.reload()
        assert eventually(lambda: not (before & one.workers()), 5)
        began = time.monotonic()
        assert workers_ask(one, upstream, aws) == {key}
        assert time.monotonic() - began < 2
    # A worker that is killed is replaced by one that has them, too.
    for worker in one.workers():
        os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: len(one.workers()) == 2)
    assert eventually(lambda: status(one) == 200)
    assert workers_ask(one, upstream, aws) == {key}
    aws.mood = "ok"
    if mood == "down":
        aws.up()
    # For the fixture: that workers were killed is no fault.
    log = one.directory / "error.log"
    log.write_text(re.sub(r".*exited on signal 9.*\n", "", log.read_text()))


def test_another_source_has_no_use_of_what_was_kept(gateway, upstream, aws):
    aws.lifetime = 400
    one = gateway("source container;", container(aws), workers=2)
    (before,) = workers_ask(one, upstream, aws)
    configuration = one.directory / "nginx.conf"
    configuration.write_text(configuration.read_text().replace("source container;", f"source container; role_arn {ROLE}; sts_endpoint {aws.url};"))
    old = one.workers()
    one.reload()
    assert eventually(lambda: not (old & one.workers()), 5)
    (after,) = workers_ask(one, upstream, aws)
    assert aws.keys.given[before].source != aws.keys.given[after].source


def test_a_worker_that_dies_while_it_fetches(gateway, upstream, aws):
    aws.lifetime, aws.mood, aws.seconds = 400, "slow", 60
    one = gateway("source container;", container(aws), workers=2)
    assert eventually(lambda: aws.fetches() >= 1)
    aws.mood = "ok"
    for worker in one.workers():
        os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: len(one.workers()) == 2)
    assert eventually(lambda: status(one) == 200, 15), one.errors()
    log = one.directory / "error.log"
    log.write_text(re.sub(r".*exited on signal 9.*\n", "", log.read_text()))


def test_a_thread_only_where_it_is_needed(gateway, upstream, aws):
    def threads(one):
        (worker,) = one.workers()
        names = [task.joinpath("comm").read_text().strip() for task in Path(f"/proc/{worker}/task").iterdir()]
        return names.count("bedrock-keys")

    assert threads(gateway(STATIC)) == 0
    one = gateway("source container;", container(aws))
    works(one, upstream)
    assert threads(one) == 1


# Secrets.


def check_secrets(gateway, aws):
    """Secret keys are in no log at all; tokens and API keys in none up to info."""
    logs = {path.name: path.read_text(errors="replace") for path in gateway.directory.glob("*.log")}
    for name, text in logs.items():
        for secret in aws.keys.secrets():
            assert secret not in text, f"a secret key in {name}"
        if name != "debug.log":
            for token in [*aws.keys.tokens(), aws.container_authorization, aws.web_identity_token, "an-api-key"]:
                assert token not in text, f"a token in {name}"


@pytest.mark.parametrize("source", ["container", "imds", "web_identity", "role", "static", "process", "api_key", "variable"])
def test_secrets_stay_secret(gateway, upstream, aws, tmp_path, source):
    upstream.api_keys = {"an-api-key"}
    aws.lifetime = 2
    token = put(tmp_path / "token", aws.web_identity_token)
    key = aws.give("process")
    block, env = {
        "container": ("source container;", container(aws)),
        "imds": ("source imds;", imds(aws)),
        "web_identity": (f"source web_identity; role_arn {ROLE}; token_file {token}; sts_endpoint {aws.url};", {}),
        "role": (f"{STATIC} role_arn {ROLE}; sts_endpoint {aws.url};", {}),
        "static": (STATIC, {}),
        "process": (f"source process {process(tmp_path, key.id, key.secret, key.token, key.expiration)};", {}),
        "api_key": ("source api_key an-api-key;", {}),
        "variable": ("", {"AWS_BEARER_TOKEN_BEDROCK": "an-api-key"}),
    }[source]
    one = gateway(block, env, main="error_log debug.log debug;")
    works(one, upstream)
    for mood in "garbage", "500", "ok":
        aws.mood = mood
        before = aws.fetches()
        if source in ("container", "imds", "web_identity", "role"):
            assert eventually(lambda: aws.fetches() > before + 1)
    aws.keys.revoke_all()
    ask(one)
    one.reload()
    ask(one)
    assert (one.directory / "debug.log").stat().st_size > 1000
    check_secrets(one, aws)


def test_a_process_that_fails(gateway, aws, tmp_path):
    """What it printed is not in the log, its status is."""
    script = process(tmp_path, "A", "a-secret-that-must-not-be-logged")
    script.write_text(script.read_text() + "echo 'no network' >&2; exit 3\n")
    one = gateway(f"source process {script};")
    check_that_it_is_unavailable(one)
    assert errors(one, "no network"), one.errors()
    assert "must-not" not in one.errors()


# Variables.


def test_variables(gateway, upstream, aws):
    aws.lifetime = 100
    server = """
    location /keys/ { bedrock on; bedrock_auth keys; proxy_pass http://bedrock; }
    location /key/ { bedrock on; bedrock_auth bearer an-api-key; proxy_pass http://bedrock; }
    location /off/ { bedrock on; bedrock_auth off; proxy_pass http://bedrock; }
    location /by/ { bedrock on; bedrock_auth $arg_who; proxy_pass http://bedrock; }
    """
    upstream.api_keys = {"an-api-key"}
    one = gateway("source container;", container(aws), LOCATION + server, f"bedrock_credentials keys {{ {STATIC} }}")
    works(one, upstream)
    log = one.next_log()
    assert log["credentials"] == "it" and 80 <= int(log["credentials_expire"]) <= 100
    for path, name in ("/keys", "keys"), ("/key", None), ("/off", None):
        ask(one, path=f"{path}/model/a.model/converse")
        log = one.next_log()
        assert (log["credentials"], log["credentials_expire"]) == (name, None)
    for name, code in ("keys", 200), ("it", 200), ("nobody", 500):
        assert ask(one, path=f"/by/model/a.model/converse?who={name}")[0] == code
        assert one.next_log()["credentials"] == (name if code == 200 else None)
    assert errors(one, 'there is no bedrock_credentials "nobody"')
