"""Limits, held against what Bedrock has really done, while workers die: no more at once than allowed, no more in sum, nothing that is
counted for ever."""

import asyncio
import json
import os
import re
import signal
import time
from dataclasses import dataclass

from bedrock import Bedrock, Stream
from client import Answer, ask
from gateway import running
from test_streaming import START, STOP, delta, event

AT_ONCE = 8
BUDGET = 20_000
# What a request may use, and at most does; its prompt has five tokens.
MOST, PROMPT = 200, 5
SERVER = """
    location / {
        bedrock on; bedrock_limit_reserve max;
        bedrock_limit zone=open; bedrock_limit zone=budget; bedrock_limit zone=requests;
        proxy_pass http://bedrock;
    }
"""
# Each request is a key of its own in the last zone, which has no room for so many: keys come and go.
HTTP = f"""
    bedrock_limit_zone all           zone=open:1m      concurrency={AT_ONCE};
    bedrock_limit_zone $http_x_round zone=budget:1m    budget={BUDGET}t/total;
    bedrock_limit_zone $request_id   zone=requests:64k rate=1kr/s;
"""
HEADERS = {"Content-Type": "application/json"}


class Watchful(Bedrock):
    """Bedrock that counts what is asked of it at the same time."""

    def __init__(self):
        super().__init__()
        self._open = set()
        self.too_many = []

    def _at_once(self):
        # Whoever is killed is gone before his place is free; it may only not have been read here.
        return sum(not reader.at_eof() and not reader.exception() for reader in self._open)

    async def _streamed(self, one, reader, writer):
        self._open.add(reader)
        try:
            if self._at_once() > AT_ONCE:
                await asyncio.sleep(0.05)
                if (count := self._at_once()) > AT_ONCE:
                    self.too_many.append(f"{count} at once, not {AT_ONCE}")
            return await super()._streamed(one, reader, writer)
        finally:
            self._open.discard(reader)


def stream(bedrock, output, **script):
    """One that uses so many tokens."""
    usage = {"inputTokens": PROMPT, "outputTokens": output, "totalTokens": PROMPT + output}
    frames = [START, delta("word"), delta(" word"), STOP, event("metadata", usage=usage, metrics={"latencyMs": 1})]
    return bedrock.add(Stream(len(bedrock.streams), frames, output, **script))


def request(one, key, most=MOST, operation="converse-stream"):
    body = {"messages": [{"role": "user", "content": [{"text": "Say a word."}]}], "inferenceConfig": {"maxTokens": most}}
    return f"/model/{one.model}/{operation}", json.dumps(body), {**HEADERS, "X-Round": key}


async def within(seconds, what):
    """None if it takes longer."""
    try:
        return await asyncio.wait_for(what, seconds)
    except asyncio.TimeoutError:
        return None


@dataclass
class Asked:
    """A request; the answer is None if it hangs."""

    one: Stream
    answer: Answer
    began: float
    ended: float

    def was_refused(self):
        return self.answer is not None and self.answer.status in (400, 429)

    def used(self):
        """Tokens that Bedrock has charged for."""
        return PROMPT + self.one.tokens if self.one.requests else 0


class Round:
    """A key's budget, spent by clients while workers die."""

    def __init__(self, tally, gateway, bedrock, key):
        self.tally, self.gateway, self.bedrock, self.key = tally, gateway, bedrock, key
        self.asked = []
        self.refused = 0

    async def spent_by(self, rng, until, clients=24):
        """So many clients ask until told to stop."""

        async def client():
            while not until.is_set():
                one, began = stream(self.bedrock, rng.randrange(50, MOST), pace=0.01), time.monotonic()
                answer = await within(20, ask(self.gateway.port, one, request=request(one, self.key)))
                if answer is None:
                    self.tally.lost.append(f"{self.key}: {one.model} hangs")
                elif answer.status in (400, 429):
                    self.refused += answer.status == 400
                    await asyncio.sleep(0.05)
                elif answer.status not in (200, None):
                    self.tally.wrong.append(f"{self.key}: status {answer.status}: {answer.body[:200]}")
                self.asked.append(Asked(one, answer, began, time.monotonic()))

        await asyncio.gather(*(client() for _ in range(clients)))

    async def is_all_free(self, since):
        """As many requests as are allowed get in, no more, and that a second after the last death: the module looks for the dead
        twice a second. Workers that begin have that second, too."""
        gate = asyncio.Event()
        ones = [stream(self.bedrock, 50, gate=gate) for _ in range(AT_ONCE)]
        held = []
        try:
            for one in ones:
                while True:
                    answer, task = await self._held(one)
                    if answer.status == 200:
                        held.append(task)
                        break
                    if time.monotonic() > since + 1.5:
                        self.tally.wrong.append(f"{self.key}: {len(held)} of {AT_ONCE} get in, {time.monotonic() - since:.1f} s after the last death")
                        return
                    await asyncio.sleep(0.02)
            answer, task = await self._held(stream(self.bedrock, 50, gate=gate))
            if answer.status != 429:
                self.tally.wrong.append(f"{self.key}: one more gets in: {answer.status}")
        finally:
            gate.set()
            await asyncio.gather(*held)

    async def _held(self, one):
        """Asks, and does not wait for the answer's end."""
        answer = Answer()
        task = asyncio.ensure_future(ask(self.gateway.port, one, request=request(one, f"{self.key}-held"), answer=answer))
        began = asyncio.ensure_future(answer.began.wait())
        await asyncio.wait([began, task], return_when=asyncio.FIRST_COMPLETED, timeout=10)
        began.cancel()
        if answer.status != 200:
            await task
        return answer, task

    async def left(self):
        """What the key has left: a request is told that is larger than that, and takes nothing."""
        one = stream(self.bedrock, 50)
        answer = await ask(self.gateway.port, one, request=request(one, self.key, most=10**9, operation="converse"))
        found = re.search(rb"([0-9]+) of [0-9]+ are left", answer.body)
        if not found:
            self.tally.wrong.append(f"{self.key}: status {answer.status}: {answer.body[:200]}")
        return int(found[1]) if found else 0

    async def logged(self):
        """The log's lines by model; what they have as charged, and the most that they have as reserved."""
        whole = [asked.one.model for asked in self.asked if asked.answer and asked.answer.whole and not asked.was_refused()]
        # A worker may die between the last byte of an answer and its line.
        lines = await self.gateway.settled(whole, seconds=1)
        own = [line for asked in self.asked for line in lines.get(asked.one.model, [])]
        self.tally.requests += len(self.asked)
        self.tally.lost += [f"{self.key}: {count} lines for {asked.one.model}" for asked in self.asked if (count := len(lines.get(asked.one.model, []))) > 1]
        return lines, sum(int(line["charged"] or 0) for line in own), max((int(line["reserved"] or 0) for line in own), default=0)

    async def judge(self):
        """The sum is what Bedrock has charged, and for those that died with their worker at most what they had reserved. How many
        those are."""
        lines, charged, reserved = await self.logged()
        died = [asked for asked in self.asked if asked.one.model not in lines and not asked.was_refused()]
        billed = sum(asked.used() for asked in self.asked)
        exact = sum(asked.used() for asked in self.asked if asked.one.model in lines)
        used = BUDGET - await self.left()
        if billed > BUDGET:
            self.tally.false.append(f"{self.key}: {billed} tokens of {BUDGET} are spent")
        if charged != exact:
            self.tally.false.append(f"{self.key}: {charged} tokens are in the log, {exact} were used")
        if not max(charged, billed) <= used <= charged + len(died) * reserved:
            self.tally.false.append(
                f"{self.key}: {used} tokens count, {billed} were used, {charged} are in the log, {len(died)} requests died with up to {reserved} each")
        return len(died), used - charged


async def rounds_of(tally, gateway, bedrock, rng, rounds, deaths):
    """Rounds of deaths, with a reload each second. `deaths` returns when there are no more in this round."""
    died = kept = refused = 0
    for number in range(rounds):
        one = Round(tally, gateway, bedrock, f"round-{number}")
        until = asyncio.Event()
        clients = asyncio.ensure_future(one.spent_by(rng, until))
        reloading = asyncio.ensure_future(reload_each_second(gateway, until))
        await deaths()
        until.set()
        # A reload that is under way brings no more workers when this returns.
        await reloading
        since = time.monotonic()
        await clients
        await one.is_all_free(since)
        more, unsettled = await one.judge()
        died, kept, refused = died + more, kept + unsettled, refused + one.refused
    if gateway.process.poll() is not None:
        tally.wrong.append("the master has ended")
    if not refused:
        tally.wrong.append("no budget was spent")
    tally.wrong += bedrock.too_many
    tally.false += [line for line in gateway.alerts() if "exited on signal 9" not in line]
    tally.notes.append(f"{gateway.errors().count('exited on signal 9')} workers died, {died} requests with them, for which {kept} tokens stay reserved")


async def reload_each_second(gateway, until):
    while not until.is_set():
        gateway.process.send_signal(signal.SIGHUP)
        for _ in range(20):
            if not until.is_set():
                await asyncio.sleep(0.05)


async def killed_workers(tally, rng, rounds=12, each=25):
    """Workers are killed from outside, at any instruction."""
    async with running(SERVER, HTTP, silence="20s", kind=Watchful, workers=4) as (gateway, bedrock):

        async def deaths():
            killed = 0
            while killed < each:
                await asyncio.sleep(rng.uniform(0.02, 0.12))
                if workers := sorted(gateway.workers()):
                    os.kill(rng.choice(workers), signal.SIGKILL)
                    killed += 1

        await rounds_of(tally, gateway, bedrock, rng, rounds, deaths)


async def workers_that_die_inside(tally, rng, rounds=12, each=25, steps=1000):
    """Workers die in the middle of what they do in a zone, at each place where that could hurt."""
    module = os.environ["TEST_BEDROCK_FAULTY_MODULE"]
    async with running(SERVER, HTTP, silence="20s", kind=Watchful, workers=4, module=module) as (gateway, bedrock):
        configuration = gateway.directory / "nginx.conf"
        safe = configuration.read_text()
        deadly = f"env BEDROCK_DEATHS={steps};\n{safe}"

        def count():
            return gateway.errors().count("exited on signal 9")

        async def deaths():
            before, workers = count(), gateway.workers()
            configuration.write_text(deadly)
            for _ in range(600):
                await asyncio.sleep(0.1)
                if count() >= before + each:
                    break
            else:
                tally.wrong.append("workers do not die")
            configuration.write_text(safe)
            # Those that would still die have to go. Others begin with each reload.
            workers = gateway.workers()
            gateway.process.send_signal(signal.SIGHUP)
            for _ in range(600):
                await asyncio.sleep(0.05)
                if not workers & gateway.workers():
                    return
            tally.wrong.append("workers do not end")

        await rounds_of(tally, gateway, bedrock, rng, rounds, deaths)
        places = sorted(set(re.findall('dies at "([^"]*)"', gateway.errors())))
        tally.notes.append(f"at {len(places)} places: {', '.join(places)}")

