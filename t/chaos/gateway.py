"""nginx with the module, before a Bedrock of its own, for the time of a scenario."""

import asyncio
import contextlib
import json
import tempfile
from pathlib import Path

from bedrock import Bedrock
from conftest import LOCATION, Nginx, defaults

# The answer says which worker it is from.
WORKER = "add_header X-Worker $pid always;"


class Gateway(Nginx):
    """One with a log that is asked by model."""

    def __init__(self, *arguments, **options):
        # The lines that have been read already.
        self._found, self._count = {}, 0
        super().__init__(*arguments, **options)

    def lines(self):
        """The log's lines by model."""
        for line in self._lines()[self._count :]:
            entry = {name: value or None for name, value in json.loads(line).items()}
            self._found.setdefault(entry["model"], []).append(entry)
            self._count += 1
        return self._found

    async def settled(self, models, seconds=20):
        """Waits until each model has a line; the lines then."""
        for _ in range(seconds * 20):
            lines = self.lines()
            if all(model in lines for model in models):
                break
            await asyncio.sleep(0.05)
        return self.lines()

    async def grown(self, count):
        """Waits until the log has so many lines; how many it has then."""
        for _ in range(100):
            if len(self._lines()) >= count:
                break
            await asyncio.sleep(0.05)
        return len(self._lines())

    async def reloaded(self):
        await asyncio.to_thread(self.reload)

    def alerts(self):
        """What the error log has at level alert or worse, but for what a scenario does to workers."""
        lines = self.errors().splitlines()
        return [line for line in lines if any(f"[{level}]" in line for level in ("alert", "emerg", "crit"))]

    def memory(self, what="VmRSS"):
        """Resident bytes of all workers."""
        total = 0
        for worker in self.workers():
            status = Path(f"/proc/{worker}/status").read_text()
            total += next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(what))
        return total


@contextlib.asynccontextmanager
async def running(server=LOCATION, http="", main="", silence="1s", upstream=None, addresses=("127.0.0.1",), kind=Bedrock, **options):
    """A gateway with two workers, and its upstream, if there is no other, at so many addresses."""
    bedrock = await kind().start(addresses)
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        arguments = (Path(directory), f"{WORKER} proxy_read_timeout {silence}; {server}", defaults(upstream or bedrock.port) + http.replace("@PORT@", str(bedrock.port)), main)
        gateway = await asyncio.to_thread(lambda: Gateway(*arguments, **{"workers": 2, **options}))
        try:
            yield gateway, bedrock
        finally:
            await asyncio.to_thread(gateway.close)
            bedrock.close()
