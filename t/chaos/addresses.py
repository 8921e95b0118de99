"""Addresses that change while streams go on."""

import asyncio
import os
import re
import tempfile

from gateway import running
from network import private_network
from streams import judged, load

ADDRESSES = [f"127.0.1.{n}" for n in range(1, 61)] + ["::1", "fd00:9::1"]
FOLLOWED = """
    upstream followed { bedrock_resolve valid=200ms; server bedrock.test:@PORT@; keepalive 16; }
    upstream hangs { bedrock_resolve valid=200ms; server hangs.test:@PORT@; }
"""
LOCATION = "location / { bedrock on; proxy_pass http://followed; }"
FAILURES = ["nxdomain", "servfail", "silent", []]


def an_answer(rng):
    """So many addresses, IPv6 alone, or none at all."""
    if rng.random() < 0.2:
        return rng.choice(FAILURES)
    return rng.sample(ADDRESSES, rng.choice([1, 1, 2, 3, 50, 60])) if rng.random() < 0.8 else ADDRESSES[-2:]


async def changing_addresses(tally, rng, seconds=20):
    """DNS has another answer, or none, several times a second, and nginx is reloaded in between. Whatever has gone from DNS
    still serves those that have begun there. One name hangs all the time."""
    if os.getuid():
        tally.wrong.append("needs root, for a network of its own")
        return
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory, private_network(directory) as dns:
        dns.names |= {"bedrock.test": ADDRESSES[:1], "hangs.test": ADDRESSES[:1]}
        async with running(LOCATION, FOLLOWED, addresses=ADDRESSES) as (gateway, bedrock):
            dns.names["hangs.test"] = "stuck"
            until, changes = asyncio.Event(), 0
            done, clients = await load(gateway, bedrock, rng, until)
            for second in range(seconds):
                if second % 5 == 4:
                    await gateway.reloaded()
                for _ in range(4):
                    dns.names["bedrock.test"] = an_answer(rng)
                    changes += 1
                    await asyncio.sleep(0.25)
            until.set()
            await clients
            await judged(tally, gateway, done)
            seen = len(bedrock.reached)
            exchanged = len(re.findall('upstream "followed" has', gateway.errors()))
            await only_there(tally, gateway, bedrock, dns, rng)
            tally.false += gateway.alerts()
            tally.notes.append(f"{changes} answers, {exchanged} times exchanged by workers, {seen} addresses reached")
            if seen < len(ADDRESSES) // 2:
                tally.wrong.append(f"only {seen} addresses were ever reached")
        # Nobody may be left in this network when it is left.
        await asyncio.get_running_loop().shutdown_default_executor()


async def only_there(tally, gateway, bedrock, dns, rng):
    """The last change holds for all workers, and for connections that were kept."""
    before = len(gateway.errors())
    dns.names["bedrock.test"] = ["127.0.1.61"]
    dns.names["bedrock.test"] = last = ["fd00:9::1"]
    for _ in range(200):
        told = re.findall(r'(\d+)#\d+: bedrock: upstream "followed" has 1 addresses', gateway.errors()[before:])
        if gateway.workers() <= set(map(int, told)):
            break
        await asyncio.sleep(0.05)
    bedrock.reached.clear()
    until = asyncio.Event()
    done, clients = await load(gateway, bedrock, rng, until)
    await asyncio.sleep(1)
    until.set()
    await clients
    await judged(tally, gateway, done)
    if set(bedrock.reached) != set(last):
        tally.wrong.append(f"after the last change: {dict(bedrock.reached)}")
