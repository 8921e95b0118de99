"""Bodies that go through files."""

import asyncio
import hashlib
import os
import subprocess
from pathlib import Path

from bedrock import stream
from client import ask
from gateway import running

# Files for all that is larger than 16 KiB; with a limit, the body is changed, and so written anew.
SERVER = """
    client_body_buffer_size 16k;
    location / { bedrock on; proxy_pass http://bedrock; }
    location /changed/ { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }
"""
MIB = 1 << 20
# What one worker works on at the same time, by default.
TOGETHER = 64 * MIB
# Bedrock's own limit, nearly.
BODY = b'{"messages":[{"role":"user","content":[{"text":"%s"}]}]}' % (b"prompt " * (25 * MIB // 7 - 100))
CHANGED = BODY[:-1] + b',"inferenceConfig":{"maxTokens":100}}'


def request(one, path="", body=BODY):
    return f"{path}/model/{one.model}/converse", body, {"Content-Type": "application/json"}


def judge(tally, one, answer, lines, expected):
    """A whole answer, made of a body that arrived as it should."""
    tally.requests += 1
    if answer.status is None:
        tally.lost.append(f"{one.model}: no answer")
    elif answer.status != 200 or not answer.whole:
        tally.wrong.append(f"{one.model}: status {answer.status}")
    elif one.body_hash != hashlib.sha256(expected).hexdigest():
        tally.wrong.append(f"{one.model}: {one.body_length} bytes arrived, which are not those that should")
    if len(lines) != 1 or lines[0]["output_tokens"] != str(one.tokens):
        tally.false.append(f"{one.model}: {[line['output_tokens'] for line in lines]}")


async def small_ones(gateway, bedrock, rng, until, answers):
    """Small requests one after the other, to see that the worker goes on."""
    while not until.is_set():
        one = bedrock.add(stream(len(bedrock.streams), rng))
        answers.append((one, await ask(gateway.port, one, request=request(one, body=b"{}"))))
        await asyncio.sleep(0.02)


async def large_bodies(tally, rng, count=10):
    """25 MB each, in parallel, as they came and changed; then bodies of tiny pieces."""
    async with running(SERVER, workers=1, silence="60s") as (gateway, bedrock):
        until, small = asyncio.Event(), []
        meanwhile = asyncio.ensure_future(small_ones(gateway, bedrock, rng, until, small))
        ones = [bedrock.add(stream(10_000 + number, rng)) for number in range(count)]
        paths = [("/changed" if number % 2 else "") for number in range(count)]
        answers = await asyncio.gather(*(ask(gateway.port, one, request=request(one, path)) for one, path in zip(ones, paths)))
        until.set()
        await meanwhile
        lines = await gateway.settled({one.model for one in ones} | {one.model for one, _ in small})
        for one, path, answer in zip(ones, paths, answers):
            judge(tally, one, answer, lines.get(one.model, []), CHANGED if path else BODY)
        for one, answer in small:
            judge(tally, one, answer, lines.get(one.model, []), b"{}")
        most = gateway.memory("VmHWM")
        tally.notes.append(f"{len(small)} small ones meanwhile; {most >> 20} MiB of memory at most")
        if most > TOGETHER * 3 // 2:
            tally.wrong.append(f"{most >> 20} MiB of memory: more than the bodies that have their turn once, and half of that")
        tally.false += gateway.alerts()
    await tiny_pieces(tally, rng)


def shapes(size=28 * MIB):
    """Bodies of OpenAI's form that consist of as many small things as go into them: name, body, status."""

    def many(before, item, after):
        before, item, after = (part.encode() for part in (before, item, after))
        return before + b",".join([item] * ((size - len(before) - len(after)) // (len(item) + 1))) + after

    messages = '{"model":"%s","messages":['
    tools = '],"tools":[{"type":"function","function":{"name":"f"}}]}'
    deep = size // 2 - 100
    yield "turns", many(messages, '{"role":"user","content":"a"},{"role":"assistant","content":"b"}', "]}"), 200
    yield "parts", many(messages + '{"role":"user","content":[', '{"type":"text","text":"a"}', "]}]}"), 200
    yield "results", many(messages, '{"role":"tool","tool_call_id":"a","content":"b"}', tools), 200
    yield "stop sequences", many(messages + '],"stop":[', '"a"', "]}"), 400
    yield "deep nesting", (messages + '],"x":' + "[" * deep + "]" * deep + "}").encode(), 200


async def tiny_pieces(tally, rng, count=4):
    """What a body costs does not depend on what is in it, and nothing of it stays."""
    async with running(SERVER, workers=1, silence="60s") as (gateway, bedrock):
        (worker,) = gateway.workers()
        # What a worker takes once, for its threads and its code, is not what is looked for.
        warm = [bedrock.add(stream(len(bedrock.streams), rng)) for _ in range(2 * count)]
        await asyncio.gather(*(ask(gateway.port, one, request=request(one, "/changed")) for one in warm))
        for name, body, status in shapes():
            Path(f"/proc/{worker}/clear_refs").write_text("5")
            before, own = gateway.memory(), gateway.memory("RssAnon")
            ones = [bedrock.add(stream(len(bedrock.streams), rng)) for _ in range(count)]
            headers = {"Content-Type": "application/json"}
            requests = [("/v1/chat/completions", body.replace(b"%s", one.model.encode(), 1), headers) for one in ones]
            answers = await asyncio.gather(*(ask(gateway.port, one, request=request) for one, request in zip(ones, requests)))
            # Without a plan there is no model in the log.
            lines = await gateway.settled({one.model for one in ones}) if status == 200 else {}
            for one, answer in zip(ones, answers):
                tally.requests += 1
                if answer.status is None:
                    tally.lost.append(f"{name}: no answer")
                elif answer.status != status or (status == 200) != bool(one.requests):
                    tally.wrong.append(f"{name}: status {answer.status}, {one.requests} times at Bedrock")
                if status == 200 and [line["output_tokens"] for line in lines.get(one.model, [])] != [str(one.tokens)]:
                    tally.false.append(f"{name}: {lines.get(one.model)}")
            most = gateway.memory("VmHWM") - before
            for _ in range(100):
                stays = gateway.memory("RssAnon") - own
                if stays < 8 * MIB:
                    break
                await asyncio.sleep(0.05)
            tally.notes.append(f"{count} of {name}: {most >> 20} MiB, {stays >> 20} stay")
            if most > 3 * TOGETHER + 4 * MIB or stays >= 8 * MIB:
                tally.wrong.append(f"{name}: {most >> 20} MiB of memory, {stays >> 20} stay")
        tally.false += gateway.alerts()


async def full_disk(tally, rng):
    """The client's body fits into the file system for bodies, its changed copy does not; then not even that."""
    if os.getuid():
        tally.wrong.append("needs root, for a file system of its own")
        return
    for size, path in ("30m", "/changed"), ("10m", ""):
        async with running(SERVER, workers=1, silence="60s") as (gateway, bedrock):
            directory = gateway.directory / "body_temp"
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", directory], check=True)
            try:
                until, small = asyncio.Event(), []
                meanwhile = asyncio.ensure_future(small_ones(gateway, bedrock, rng, until, small))
                for number in range(5):
                    one = bedrock.add(stream(10_000 + number, rng))
                    answer = await ask(gateway.port, one, request=request(one, path))
                    tally.requests += 1
                    # nginx gives up on the body early: then the client may see its connection end.
                    if answer.status not in (500, None) or one.requests:
                        tally.wrong.append(f"{one.model}: status {answer.status}, {one.requests} times at Bedrock")
                    if path and (answer.status != 500 or b'"message"' not in answer.body):
                        tally.wrong.append(f"{one.model}: status {answer.status}")
                until.set()
                await meanwhile
                lines = await gateway.settled({one.model for one, _ in small})
                for one, answer in small:
                    judge(tally, one, answer, lines.get(one.model, []), b"{}")
                if "No space left on device" not in gateway.errors():
                    tally.wrong.append("the disk was not full")
            finally:
                subprocess.run(["umount", "-l", directory], check=True)
