"""A panic in each entry from nginx costs its own request only. The module is one with the feature `forced-panics`."""

import asyncio
import json
import os
import re
import tempfile
from pathlib import Path

from bedrock import stream
from client import NATIVE, ask
from gateway import running
from judge import judge

SERVER = """
    location / { bedrock on; proxy_pass http://bedrock; }
    location /logged/ { bedrock on; proxy_pass http://bedrock; }
    location /over/ { bedrock on; proxy_intercept_errors on; error_page 502 = @other; proxy_pass http://bedrock; }
    location @other { bedrock on; proxy_pass http://bedrock; }
    location /status { access_log off; stub_status; }
"""
LATE = """
    location /late/ { bedrock on; bedrock_auth late; bedrock_credentials_timeout 20s; proxy_pass http://bedrock; }
    location /keyless/ { bedrock on; bedrock_auth nobodys; bedrock_credentials_timeout 200ms; proxy_pass http://bedrock; }
"""
# A source that has no keys yet, and none for long: requests wait for its first answer. And one that has them once there is a file.
SOURCES = """
    bedrock_credentials nobodys { source process "sleep 55"; }
    bedrock_credentials late { source process "until cat %s 2>/dev/null; do sleep 0.05; done"; }
"""
KEYS = json.dumps({"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "chaos"})
ENVIRONMENT = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"}
LARGE = b'{"messages":[],"padding":"%s"}' % (b"x" * 300_000)
# Entry, where it is met, the statuses that may come of it (None: the connection ends), what arrives well all the same.
ENTRIES = {
    "rewrite": ("", b"{}", {500}),
    "sign": ("", b"{}", {500}),
    "body-is-read": ("", b"{}", {500}),
    "thread": ("", LARGE, {500}),
    "resumed": ("", LARGE, {500}),
    "content": ("", b"{}", {500}),
    "create-request": ("", b"{}", {500}),
    "header": ("", b"{}", {502}),
    "every-header": ("", b"{}", {None}),
    "body": ("", b"{}", {None}),
    "waited": ("/keyless", b"{}", {500}),
    "fall-back": ("/over", b"{}", {500, 502, None}),
    "upstream-ended": ("", b"{}", {502}),
    "local": ("", b"", {500}),
    "variable": ("", b"{}", {200}),
    "ended": ("", b"{}", {200}),
    "dropped": ("", b"{}", {200}),
}
# Those that are met on the way of a large answer that is no stream, too.
LARGE_ANSWERS = {"thread": {500}, "resumed": {500}}


async def panics(tally, rng):
    """A panic in each entry."""
    module = os.environ["TEST_BEDROCK_FAULTY_MODULE"]
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        keys = Path(directory) / "keys.json"
        async with running(SERVER + LATE, SOURCES % keys, workers=1, module=module, env=ENVIRONMENT) as (gateway, bedrock):
            workers = gateway.workers()
            await in_each_entry(tally, rng, gateway, bedrock)
            await when_credentials_come(tally, rng, gateway, bedrock, keys)
            if gateway.workers() != workers:
                tally.wrong.append("a worker died")
    async with running(SERVER, "bedrock_large_bodies 300k;", workers=1, module=module) as (gateway, bedrock):
        await when_there_is_room(tally, rng, gateway, bedrock)
    tally.notes.append(f"{len(ENTRIES) + 2} entries, {len(LARGE_ANSWERS)} of them by two ways")


async def in_each_entry(tally, rng, gateway, bedrock):
    """In turn, ten times, while streams go on in the same worker."""
    expected = 0
    entries = [(entry, *rest, False) for entry, rest in ENTRIES.items()]
    entries += [(entry, "", None, statuses, True) for entry, statuses in LARGE_ANSWERS.items()]
    for entry, path, body, statuses, whole in entries:
        others = [bedrock.add(stream(len(bedrock.streams), rng, pace=0.02)) for _ in range(10)]
        asking = [asyncio.ensure_future(ask(gateway.port, one)) for one in others]
        before = gateway.errors().count("bedrock: a bug at")
        for _ in range(10):
            one = bedrock.add(stream(len(bedrock.streams), rng, deltas=1000 if whole else None))
            if entry in ("fall-back", "upstream-ended"):
                one.fault, one.at = "end", 5
            headers = {"Content-Type": "application/json"}
            target = f"{path}/model/{one.model}/converse-stream?panic-in={entry}"
            method = "POST"
            if entry == "local":
                method, target = "GET", f"/v1/models?panic-in={entry}"
            if whole:
                target = f"/v1/chat/completions?panic-in={entry}"
                body = b'{"model":"%s","messages":[{"role":"user","content":"x"}]}' % one.model.encode()
            tally.requests += 1
            try:
                answer = await asyncio.wait_for(ask(gateway.port, one, request=(target, body, headers), method=method), 5)
            except asyncio.TimeoutError:
                tally.lost.append(f"{entry}: no end")
                continue
            if answer.status not in statuses:
                tally.wrong.append(f"{entry}: status {answer.status}")
            if answer.status == 200 and not answer.whole:
                tally.wrong.append(f"{entry}: cut")
        # The last entries of a request are met when its answer is gone.
        if not await logged(gateway, before + 10):
            tally.wrong.append(f"{entry}: there was no panic")
        answers = await asyncio.gather(*asking)
        lines = await gateway.settled({one.model for one in others})
        # Each that failed has its line, too.
        expected += 20
        if (count := await gateway.grown(expected)) != expected:
            tally.lost.append(f"{entry}: {count} of {expected} lines in the log so far")
        for one, answer in zip(others, answers):
            judge(tally, one, "native", answer, lines.get(one.model, []))


async def when_there_is_room(tally, rng, gateway, bedrock):
    """Large bodies take turns, and half of those that waited panic when it is theirs: the others get their turns all the same."""
    ones = [bedrock.add(stream(len(bedrock.streams), rng)) for _ in range(40)]
    asking = []
    for number, one in enumerate(ones):
        path, _, headers = NATIVE.request(one.model)
        request = f"{path}{'?panic-in=room' if number % 2 else ''}", LARGE, headers
        asking.append(asyncio.ensure_future(ask(gateway.port, one, request=request)))
    answers = await asyncio.gather(*asking)
    lines = await gateway.settled({one.model for one in ones})
    tally.requests += len(ones)
    for number, (one, answer) in enumerate(zip(ones, answers)):
        if number % 2 == 0 or answer.status == 200:
            judge(tally, one, "native", answer, lines.get(one.model, []))
        elif answer.status != 500:
            tally.wrong.append(f"room: status {answer.status}")
    if not any(answer.status == 500 for answer in answers):
        tally.wrong.append("room: there was no panic")


async def when_credentials_come(tally, rng, gateway, bedrock, keys):
    """All wait for the same ones, and go on in one turn of the event loop; half of them panic then."""
    before, lines_before = gateway.errors().count("bedrock: a bug at"), await gateway.grown(0)
    ones = [bedrock.add(stream(len(bedrock.streams), rng)) for _ in range(20)]
    asking = []
    for number, one in enumerate(ones):
        path, body, headers = NATIVE.request(one.model)
        request = f"/late{path}{'?panic-in=served' if number % 2 else ''}", body, headers
        asking.append(asyncio.ensure_future(ask(gateway.port, one, request=request)))
    for _ in range(200):
        if await at_work(gateway) == len(ones):
            break
        await asyncio.sleep(0.05)
    keys.with_suffix(".new").write_text(KEYS)
    keys.with_suffix(".new").rename(keys)
    answers = await asyncio.gather(*asking)
    expected = lines_before + len(ones)
    if (count := await gateway.grown(expected)) != expected:
        tally.lost.append(f"served: {count} of {expected} lines in the log so far")
    lines = gateway.lines()
    for number, (one, answer) in enumerate(zip(ones, answers)):
        if number % 2 == 0:
            judge(tally, one, "native", answer, lines.get(one.model, []))
            continue
        tally.requests += 1
        if answer.status != 500:
            tally.wrong.append(f"served: status {answer.status}")
    if not await logged(gateway, before + len(ones) // 2):
        tally.wrong.append("served: there was no panic")


async def at_work(gateway):
    """How many requests are there besides the one that asks for this."""
    answer = await ask(gateway.port, None, request=("/status", b"", {}), method="GET")
    return int(re.search(rb"Writing: (\d+)", answer.body)[1]) - 1


async def logged(gateway, panics):
    for _ in range(100):
        if gateway.errors().count("bedrock: a bug at") >= panics:
            return True
        await asyncio.sleep(0.05)
    return False
