"""Limits in shared memory: SDKs that are refused, clients that go away, workers that are killed, reloads, other sizes."""

import http.client
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError

from conftest import NGINX, bedrock_client, defaults, eventually, openai_client

BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]})
# Two frames, then silence: in progress until the client goes away.
SILENT = "us.amazon.nova-lite-v1:0.sim.stall"


def limited(sim, size="1m", most=1):
    return f"bedrock_limit_zone $server_port zone=open:{size} concurrency={most};" + defaults(sim.port)


def location(more=""):
    return f"location / {{ bedrock on; bedrock_limit zone=open; {more} proxy_pass http://bedrock; }}"


class InProgress:
    """A request whose answer has begun, and does not end."""

    def __init__(self, gateway, model=SILENT):
        self.connection = http_connection(gateway)
        self.connection.request("POST", f"/model/{model}/converse-stream", BODY, {"Content-Type": "application/json"})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()

    def leave(self):
        # http.client hands the socket over to the answer.
        self.answer.close()
        self.connection.close()


def http_connection(gateway):
    return http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)


def ask(gateway, model="us.amazon.nova-lite-v1:0"):
    """The status of a small request, and its answer."""
    connection = http_connection(gateway)
    connection.request("POST", f"/model/{model}/converse", BODY, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def is_refused(gateway):
    status, body = ask(gateway)
    assert status in (200, 429), body
    return status == 429


def is_free(gateway):
    return not is_refused(gateway)


def test_sdks_are_told_when_to_come_back_and_no_error_page_takes_it(nginx, sim):
    more = "proxy_intercept_errors on; error_page 429 503 = @other;"
    other = "location @other { bedrock on; bedrock_region eu-west-1; proxy_pass http://bedrock; }"
    gateway = nginx(location(more) + other, limited(sim))
    held = InProgress(gateway)
    sim.clear()
    message = 'The limit "open" allows 1 request at a time, and as many are in progress. Try again in a moment.'

    with pytest.raises(openai.RateLimitError) as refused:
        openai_client(f"{gateway.url}/v1").chat.completions.create(model="any.model", messages=[{"role": "user", "content": "Hi"}])
    assert refused.value.body == {"message": message, "type": "requests", "param": None, "code": "rate_limit_exceeded"}
    assert refused.value.response.headers["retry-after"] in ("1", "2")
    with pytest.raises(anthropic.RateLimitError) as refused:
        client = anthropic.Anthropic(base_url=gateway.url, api_key="anything", max_retries=0)
        client.messages.create(model="any.model", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    assert refused.value.body["error"] == {"type": "rate_limit_error", "message": message}
    assert 1000 <= int(refused.value.response.headers["retry-after-ms"]) <= 1100
    with pytest.raises(ClientError) as refused:
        bedrock_client(gateway.url).converse(modelId="any.model", messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    error = refused.value.response
    assert error["Error"] == {"Code": "ThrottlingException", "Message": message}
    assert 1000 <= int(error["ResponseMetadata"]["HTTPHeaders"]["x-amz-retry-after"]) <= 1100
    assert sim.requests() == []

    held.leave()
    assert eventually(lambda: is_free(gateway))
    logged = [gateway.next_log() for _ in range(4)]
    refusals = [line for line in logged if line["status"] == "429"]
    assert [(line["limit_status"], line["limit_zone"]) for line in refusals] == [("REJECTED", "open")] * 3
    assert {line["limit_status"] for line in logged if line not in refusals} == {"PASSED"}
    assert "[alert]" not in gateway.errors() and "[error]" not in gateway.errors().replace("prematurely closed", "")


def test_an_sdk_that_waits_gets_through(nginx, sim):
    gateway = nginx(location(), limited(sim))
    slow = InProgress(gateway, "us.amazon.nova-lite-v1:0.sim.long.frames-8.pace-100")
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="anything", max_retries=5, timeout=20)
    answer = client.chat.completions.create(model="any.model", messages=[{"role": "user", "content": "Hi"}])
    assert answer.usage.total_tokens == 37
    slow.leave()


def test_a_failover_keeps_what_the_first_attempt_has_taken(nginx, sim):
    """Each location has the limit, and the zone lets one request in."""
    more = "proxy_intercept_errors on; error_page 429 = @other;"
    other = "location @other { bedrock on; bedrock_limit zone=open; bedrock_model any.model; proxy_pass http://bedrock; }"
    gateway = nginx(location(more) + other, limited(sim))
    for model, tries in (("us.amazon.nova-lite-v1:0.sim.throttled", 2), ("us.amazon.nova-lite-v1:0", 1)):
        sim.clear()
        assert ask(gateway, model)[0] == 200
        assert len(sim.requests()) == tries
        line = gateway.next_log()
        assert (line["limit_status"], line["limit_zone"]) == ("PASSED", None)


@pytest.mark.parametrize("more", ["", "bedrock_client_abort drain;"], ids=["close", "drain"])
def test_a_client_that_goes_away_is_let_out(nginx, sim, more):
    gateway = nginx(location(more), limited(sim, most=2))
    frames = "us.amazon.nova-lite-v1:0.sim.long.frames-20.pace-20"
    held = [InProgress(gateway, frames), InProgress(gateway, frames)]
    assert is_refused(gateway)
    for one in held:
        one.leave()
    assert eventually(lambda: is_free(gateway))


def test_the_workers_know_of_each_other(nginx, sim):
    gateway = nginx(location(), limited(sim, most=4), workers=2)
    held = [InProgress(gateway) for _ in range(4)]
    assert all(is_refused(gateway) for _ in range(20))
    held.pop().leave()
    assert eventually(lambda: is_free(gateway))
    for one in held:
        one.leave()


def kill(gateway, workers):
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    return time.monotonic()


def test_what_killed_workers_had_is_let_out_within_a_second(nginx, sim):
    gateway = nginx(location(), limited(sim, most=6), workers=2)
    for _ in range(3):
        held = [InProgress(gateway) for _ in range(6)]
        assert is_refused(gateway)
        before = gateway.workers()
        killed = kill(gateway, before)
        assert eventually(lambda: len(gateway.workers() - before) == 2)
        # Others get in, as many as before.
        assert eventually(lambda: all(is_free(gateway) for _ in range(6)))
        assert time.monotonic() < killed + 1.5
        again = [InProgress(gateway) for _ in range(6)]
        assert is_refused(gateway)
        for one in again + held:
            one.leave()
        assert eventually(lambda: is_free(gateway))
    assert 'zone "open": ' in gateway.errors() and "do not count as in progress any more" in gateway.errors()


def test_a_killed_worker_of_an_earlier_configuration_is_let_out_too(nginx, sim):
    """Nobody takes its place."""
    gateway = nginx(location(), limited(sim, most=2))
    held = [InProgress(gateway), InProgress(gateway)]
    (old,) = gateway.workers()
    gateway.reload()
    assert eventually(lambda: f"{old}#{old}: gracefully shutting down" in gateway.errors())
    assert is_refused(gateway)
    killed = kill(gateway, [old])
    assert eventually(lambda: is_free(gateway))
    assert time.monotonic() < killed + 1.5
    for one in held:
        one.leave()


def test_a_reload_keeps_count_and_the_old_worker_settles(nginx, sim):
    gateway = nginx(location(), limited(sim, most=2))
    held = [InProgress(gateway), InProgress(gateway)]
    gateway.reload()
    assert eventually(lambda: "gracefully shutting down" in gateway.errors())
    assert is_refused(gateway)
    held.pop().leave()
    assert eventually(lambda: is_free(gateway))
    # A limit of the new configuration counts at once.
    gateway.configure(location(), limited(sim, most=1))
    gateway.reload()
    assert eventually(lambda: is_refused(gateway))
    held.pop().leave()
    assert eventually(lambda: is_free(gateway))


@pytest.mark.parametrize("sizes", [("1m", "4m"), ("1m", "64k")], ids=["larger", "smaller"])
def test_a_zone_of_another_size_has_what_the_old_one_had(nginx, sim, sizes):
    gateway = nginx(location(), limited(sim, sizes[0], most=2))
    held = [InProgress(gateway), InProgress(gateway)]
    (old,) = gateway.workers()
    gateway.configure(location(), limited(sim, sizes[1], most=2))
    gateway.reload()
    assert eventually(lambda: f"{old}#{old}: gracefully shutting down" in gateway.errors())
    assert is_refused(gateway)
    for one in held:
        one.leave()
    # The old worker ends with its last request; only then nobody holds what the new zone has of it.
    assert eventually(lambda: old not in gateway.workers())
    assert eventually(lambda: is_free(gateway), 2)
    again = [InProgress(gateway), InProgress(gateway)]
    assert is_refused(gateway)
    for one in again:
        one.leave()


def test_a_zone_that_goes_and_comes_back_begins_anew(nginx, sim):
    gateway = nginx(location(), limited(sim))
    held = InProgress(gateway)
    gateway.configure("location / { bedrock on; proxy_pass http://bedrock; }", defaults(sim.port))
    gateway.reload()
    assert eventually(lambda: is_free(gateway))
    gateway.configure(location(), limited(sim))
    gateway.reload()
    assert eventually(lambda: is_free(gateway))
    held.leave()
    assert is_free(gateway)
    assert "[alert]" not in gateway.errors()


def test_a_test_of_the_configuration_and_a_reload_that_fails_change_nothing(nginx, sim):
    gateway = nginx(location(), limited(sim))
    held = InProgress(gateway)
    for size in ("1m", "4m"):
        gateway.configure(location(), limited(sim, size))
        test = subprocess.run(
            [NGINX, "-t", "-p", f"{gateway.directory}/", "-e", "error.log", "-c", f"{gateway.directory}/nginx.conf"],
            capture_output=True,
            check=True,
        )
        assert b"syntax is ok" in test.stderr
        assert is_refused(gateway)
        # Its zones are made, then the port is found to be taken.
        gateway.configure(location() + f"listen 127.0.0.1:{sim.port};", limited(sim, size))
        gateway.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: gateway.errors().count("still could not bind()") == (1 if size == "1m" else 2))
        assert is_refused(gateway)
    held.leave()
    assert eventually(lambda: is_free(gateway))


def test_a_zone_that_is_full_refuses_and_says_so_once(nginx, sim):
    """64k has room for 236 requests."""
    gateway = nginx(location(), limited(sim, "64k", most=1000))
    held = []
    for _ in range(236):
        held.append(InProgress(gateway))
    for _ in range(3):
        status, body = ask(gateway)
        assert status == 503, body
    assert gateway.errors().count('zone "open" has no room for more requests') == 1
    held.pop().leave()
    assert eventually(lambda: ask(gateway)[0] == 200)
    for one in held:
        one.leave()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT])
def test_a_worker_that_ends_leaves_nothing_behind(nginx, sim, how):
    """Told to end by itself, it is replaced."""
    gateway = nginx(location(), limited(sim, most=2), workers=2)
    held = [InProgress(gateway), InProgress(gateway)]
    assert is_refused(gateway)
    before = gateway.workers()
    for worker in before:
        os.kill(worker, how)
    if how == signal.SIGQUIT:
        for one in held:
            one.leave()
    assert eventually(lambda: not before & gateway.workers() and len(gateway.workers()) == 2)
    assert eventually(lambda: is_free(gateway))
    assert "do not count as in progress any more" not in gateway.errors()


def sockets(process):
    """How many sockets a process has open."""
    links = (link for link in Path(f"/proc/{process.pid}/fd").iterdir() if link.is_symlink())
    return sum(os.readlink(link).startswith("socket:") for link in links)


@pytest.mark.parametrize("change", ["size", "gone"])
def test_a_process_that_is_its_own_master_survives_a_zone_that_is_unmapped(nginx, sim, change):
    gateway = nginx(location(), limited(sim))
    gateway.close()
    conf = gateway.directory / "nginx.conf"

    def configure(*arguments):
        gateway.configure(*arguments)
        conf.write_text("master_process off;\n" + conf.read_text())

    def begun():
        try:
            return InProgress(gateway)
        except OSError:
            return None

    configure(location(), limited(sim))
    command = [NGINX, "-p", f"{gateway.directory}/", "-e", "error.log", "-c", str(conf), "-g", "daemon off;"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        held = eventually(begun)
        assert is_refused(gateway)
        began = gateway.errors().count("module nginx-bedrock/")
        match change:
            case "size":
                configure(location(), limited(sim, "4m"))
            case "gone":
                configure("location / { bedrock on; proxy_pass http://bedrock; }", defaults(sim.port))
        process.send_signal(signal.SIGHUP)
        # The old zone is unmapped before nginx looks at its connections again.
        assert eventually(lambda: gateway.errors().count("module nginx-bedrock/") > began)
        # The old logs are closed, so it is seen by its sockets that the request has ended.
        before = sockets(process)
        held.leave()
        assert eventually(lambda: process.poll() is not None or sockets(process) < before)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
