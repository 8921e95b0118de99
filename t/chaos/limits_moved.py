"""Limits while requests use them, and their zones change: other limits, other sizes."""

import asyncio
import time

from gateway import running
from limits import AT_ONCE, BUDGET, HTTP, SERVER, Round, Watchful

SIZES = ["1m", "2m", "256k", "4m", "512k"]


async def spent(tally, gateway, bedrock, rng, key, change, times):
    """A round in which something changes so many times."""
    one, until = Round(tally, gateway, bedrock, key), asyncio.Event()
    clients = asyncio.ensure_future(one.spent_by(rng, until))
    for _ in range(times):
        await asyncio.sleep(0.4)
        await change()
    until.set()
    await clients
    return one


async def renewed(tally, gateway):
    """A reload after which there are none but new workers."""
    before = gateway.workers()
    await gateway.reloaded()
    for _ in range(400):
        if not before & gateway.workers():
            return
        await asyncio.sleep(0.05)
    tally.wrong.append("workers do not end")


async def changed(tally, rng, rounds=4, times=6):
    """Reloads with other limits: nothing of what was used is lost."""
    async with running(SERVER, HTTP, silence="20s", kind=Watchful, workers=4) as (gateway, bedrock):
        configuration = gateway.directory / "nginx.conf"
        text = configuration.read_text()

        async def change():
            other = text.replace(f"budget={BUDGET}t", f"budget={rng.randrange(5, 21)}kt")
            configuration.write_text(other.replace("rate=1kr", f"rate={rng.randrange(1, 9)}kr"))
            await gateway.reloaded()

        for number in range(rounds):
            one = await spent(tally, gateway, bedrock, rng, f"round-{number}", change, times)
            configuration.write_text(text)
            await renewed(tally, gateway)
            await one.judge()
            await one.is_all_free(time.monotonic())
        tally.wrong += bedrock.too_many
        tally.false += gateway.alerts()
        tally.notes.append(f"{rounds * times} reloads")


async def resized(tally, rng, rounds=4, times=6):
    """Reloads with zones of other sizes. What comes to workers that are about to end, when the new zone has what the old one had, is not
    in the new one; of what is under way then, the reservation stays."""
    async with running(SERVER, HTTP, silence="20s", kind=Watchful, workers=4) as (gateway, bedrock):
        configuration = gateway.directory / "nginx.conf"
        text = configuration.read_text()
        sizes, uncounted = ["1m"], 0
        # For each reload the workers before it, and when it was.
        changes = []

        async def change():
            sizes.append(rng.choice([size for size in SIZES if size != sizes[-1]]))
            configuration.write_text(text.replace(":1m", f":{sizes[-1]}"))
            changes.append((gateway.workers(), time.monotonic()))
            await gateway.reloaded()

        def is_caught(asked):
            """Whether it was under way, or came, when its worker was about to end."""
            worker = int(asked.answer.headers.get("x-worker", 0))
            return any(worker in workers and asked.ended > moment for workers, moment in changes)

        for number in range(rounds):
            one = await spent(tally, gateway, bedrock, rng, f"round-{number}", change, times)
            await renewed(tally, gateway)
            _, charged, reserved = await one.logged()
            billed, used = sum(asked.used() for asked in one.asked), BUDGET - await one.left()
            caught = [asked for asked in one.asked if asked.answer and not asked.was_refused() and is_caught(asked)]
            late = sum(asked.used() for asked in caught)
            uncounted += billed - used
            if charged != billed:
                tally.false.append(f"{one.key}: {charged} tokens are in the log, {billed} were used")
            if billed > BUDGET + late or not billed - late <= used <= billed + len(caught) * reserved:
                tally.false.append(f"{one.key}: {used} tokens count, {billed} of {BUDGET} were used, {late} of them by workers about to end")
            await one.is_all_free(time.monotonic())
        # Those that began in the old zone, and those in the new one.
        tally.wrong += [what for what in bedrock.too_many if int(what.split()[0]) > 2 * AT_ONCE]
        tally.false += gateway.alerts()
        tally.notes.append(f"{len(changes)} reloads, for which {uncounted} tokens do not count")
