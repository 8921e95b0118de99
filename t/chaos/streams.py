"""Faults while streams go on."""

import asyncio
import os
import resource
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bedrock import broken, stream
from client import FORMS, Answer, ask, ask_together
from conftest import LOCATION, BedrockSim
from gateway import running
from judge import judge

DRAIN = LOCATION.replace("bedrock on;", "bedrock on; bedrock_client_abort drain;")
MIB = 1 << 20


def form_of(number):
    return list(FORMS)[number % len(FORMS)]


async def load(gateway, bedrock, rng, until, parallel=40):
    """Streams, one after the other in each of so many clients, until told to stop; each with its answer."""
    done = []

    async def client():
        while not until.is_set():
            one = bedrock.add(stream(len(bedrock.streams), rng, pace=rng.random() / 20))
            answer = Answer()
            done.append((one, answer))
            await ask(gateway.port, one, form_of(one.number), answer=answer)

    return done, asyncio.gather(*(client() for _ in range(parallel)))


async def judged(tally, gateway, done, drains=False):
    lines = await gateway.settled({one.model for one, _ in done})
    for one, answer in done:
        judge(tally, one, form_of(one.number), answer, lines.get(one.model, []), drains)


async def reload_every_second(tally, rng, seconds=20):
    """New workers come while the old ones end their streams."""
    async with running() as (gateway, bedrock):
        until = asyncio.Event()
        done, clients = await load(gateway, bedrock, rng, until)
        for _ in range(seconds):
            await asyncio.sleep(1)
            await gateway.reloaded()
        until.set()
        await clients
        await judged(tally, gateway, done)
        tally.false += gateway.alerts()
        tally.notes.append(f"{seconds} reloads")


async def killed_workers(tally, rng, times=5):
    """Its own streams break, no others, and nothing is counted that was not."""
    async with running() as (gateway, bedrock):
        broke = 0
        for _ in range(times):
            until = asyncio.Event()
            done, clients = await load(gateway, bedrock, rng, until)
            await asyncio.sleep(2)
            victim = rng.choice(sorted(gateway.workers()))
            # Those without a line may still be at work on it, even if their client has all; without a header, on any worker.
            logged = gateway.lines()
            open_now = [(one, answer) for one, answer in done if one.model not in logged]
            on_victim = [one for one, answer in open_now if answer.headers.get("x-worker", str(victim)) == str(victim)]
            os.kill(victim, signal.SIGKILL)
            await asyncio.sleep(1)
            until.set()
            await clients
            lines = await gateway.settled({one.model for one, _ in done if one not in on_victim})
            for one, answer in done:
                log = lines.get(one.model, [])
                if one in on_victim and not answer.whole:
                    broke += 1
                    tally.requests += 1
                    tally.false += [f"{one.model} was killed, and is in the log" for _ in log]
                elif one in on_victim and not log:
                    # The worker died between its last byte and the line that it writes after that.
                    tally.requests += 1
                else:
                    judge(tally, one, form_of(one.number), answer, log)
        assert broke, "nothing was killed"
        tally.notes.append(f"{times} workers killed, {broke} streams of theirs broke")


async def broken_upstream(tally, rng, count=2000):
    """Bedrock ends early, resets, falls silent, or flips a bit, at a random byte."""
    async with running() as (gateway, bedrock):
        slots = asyncio.Semaphore(100)

        async def one_of_them(number):
            async with slots:
                # Some in between are as they should be.
                one = bedrock.add(broken(number, rng) if number % 10 else stream(number, rng))
                return one, await ask(gateway.port, one, form_of(number))

        done = await asyncio.gather(*map(one_of_them, range(count)))
        await judged(tally, gateway, done)
        tally.false += gateway.alerts()


async def slow_readers(tally, rng, count=50, deltas=20_000):
    """Memory is bounded, and Bedrock is read only as fast as the clients read."""
    async with running(silence="300s") as (gateway, bedrock):
        before = gateway.memory()
        ones = [bedrock.add(stream(number, rng, deltas=200)) for number in range(count)]
        for one in ones:
            # The same content over and over, for some 20 MB.
            one.frames[1:-2] = one.frames[1:-2] * (deltas // 200)
        size = sum(len(frame) for one in ones for frame in one.frames)
        asking = [asyncio.ensure_future(ask(gateway.port, one, form_of(one.number), leave_after=200_000, rate=2000)) for one in ones]
        seen = [-1, -2]
        while seen[-1] != seen[-2] and not all(task.done() for task in asking):
            seen.append(sum(one.sent for one in ones))
            most = gateway.memory("VmHWM")
            await asyncio.sleep(0.5)
        held = sum(one.sent for one in ones)
        per_stream = (most - before) / count
        if held > size / 2:
            tally.wrong.append(f"{held >> 20} of {size >> 20} MiB were read from Bedrock for clients that do not read")
        if per_stream > MIB:
            tally.wrong.append(f"{per_stream / 1024:.0f} KiB of memory for each stream")
        answers = await asyncio.gather(*asking)
        await judged(tally, gateway, list(zip(ones, answers)))
        tally.notes.append(f"{per_stream / 1024:.0f} KiB for each, {held >> 20} of {size >> 20} MiB taken from Bedrock")


async def leaving_clients(tally, rng, count=600):
    """Clients leave at a random byte, with FIN or RST; Bedrock is left at once, or drained."""
    for server, drains in (LOCATION, False), (DRAIN, True):
        async with running(server) as (gateway, bedrock):
            slots = asyncio.Semaphore(50)

            async def one_of_them(number):
                async with slots:
                    one = bedrock.add(stream(number, rng, pace=0.005))
                    after = rng.randrange(len(one.data))
                    how = rng.choice(["FIN", "RST"])
                    return one, await ask(gateway.port, one, form_of(number), leave_after=after, how=how)

            done = await asyncio.gather(*map(one_of_them, range(count)))
            # Those that left before their request was read are no requests.
            done = [(one, answer) for one, answer in done if one.requests or not answer.left]
            await judged(tally, gateway, done, drains)
            # Bedrock sees them end: read to the end, or left.
            for _ in range(200):
                if all(one.ended for one, _ in done):
                    break
                await asyncio.sleep(0.05)
            tally.wrong += [f"{one.model}: the upstream was not let go" for one, _ in done if not one.ended]
            if drains:
                tally.wrong += [f"{one.model}: not drained" for one, _ in done if one.ended != "complete"]
            tally.false += gateway.alerts()


async def many_streams(tally, rng, count=10_000, multiplexed=1000):
    """So many open at once in one worker, which needs a file for each, and one for its client; some clients have a hundred on
    one connection. Bedrock is a process of its own, for files of its own."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 2 * count - multiplexed + 300
    if allowed < files:
        tally.notes.append(f"NOT {count}: only {allowed} files may be open here, of {files}")
        # A tenth of the clients, as above.
        count, files = (allowed - 300) * 10 // 19, allowed
        multiplexed = count // 10
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        sim = BedrockSim(Path(directory))
        try:
            # Below a sixteenth of them, nginx closes those that wait for a request.
            options = {"workers": 1, "connections": 2 * count + count // 4, "main": f"worker_rlimit_nofile {files};"}
            shared = f"{directory}/http2"
            async with running(f"listen unix:{shared} http2; {LOCATION}", upstream=sim.port, silence="300s", **options) as (gateway, _):
                await opened_at_once(tally, gateway, count, shared, multiplexed)
        finally:
            await asyncio.to_thread(sim.close)


def begun(answer, task):
    """Done when the answer's header is there, or when there will be none."""

    async def wait():
        await asyncio.wait([asyncio.ensure_future(answer.began.wait()), task], return_when=asyncio.FIRST_COMPLETED)

    return asyncio.ensure_future(wait())


async def opened_at_once(tally, gateway, count, shared, multiplexed):
    before = gateway.memory()
    answers, asking = [Answer() for _ in range(count)], []
    # Each has a number of tokens of its own, within reason, and goes on until all are open.
    tokens = [3 + number % 3 for number in range(count)]
    models = [f"chaos.{number}.sim.long.frames-{tokens[number]}.pace-15000" for number in range(count)]
    requests = [FORMS[form_of(number)].request(model) for number, model in enumerate(models)]
    batches = range(0, multiplexed, 100)
    with ThreadPoolExecutor(len(batches)) as threads:
        for first in batches:
            some = slice(first, min(first + 100, multiplexed))
            talk = threads.submit(ask_together, shared, requests[some], answers[some])
            asking.append(asyncio.wrap_future(talk))
        for first in range(multiplexed, count, 50):
            some = slice(first, first + 50)
            tasks = [asyncio.ensure_future(ask(gateway.port, None, request=request, answer=answer)) for request, answer in zip(requests[some], answers[some])]
            await asyncio.wait([begun(answer, task) for answer, task in zip(answers[some], tasks)])
            asking += tasks
        open_now = sum(1 for answer in answers if answer.status == 200 and not answer.whole)
        memory = gateway.memory() - before
        await asyncio.gather(*asking)
    lines = await gateway.settled(models, 60)
    for model, wanted, answer in zip(models, tokens, answers):
        tally.requests += 1
        log = [(line["stream_status"], line["output_tokens"]) for line in lines.get(model, [])]
        if answer.status is None or not log:
            tally.lost.append(model)
        elif not answer.whole or bytes(answer.body).count(b"word ") != wanted:
            tally.wrong.append(f"{model}: status {answer.status}, whole: {answer.whole}")
        elif log != [("complete", str(wanted))]:
            tally.false.append(f"{model}: {log}")
    tally.false += gateway.alerts()
    tally.notes.append(f"{open_now} open at once, {multiplexed} of them over HTTP/2, {memory / count / 1024:.1f} KiB of the worker's memory each")
    if open_now != count:
        tally.wrong.append(f"only {open_now} of {count} were open at once")
