"""run.py [--seed N] [--long] [SCENARIO...]: faults against a live nginx. Each scenario prints how many requests were wrong for the
client, lost, or counted falsely; more than none of any is a failure."""

import argparse
import asyncio
import random
import resource
import sys
import time
from functools import partial
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "clients")]

import addresses
import bodies
import limits
import limits_moved
import panics
import streams
from judge import Tally

SCENARIOS = {
    "reload": streams.reload_every_second,
    "killed-worker": streams.killed_workers,
    "broken-upstream": streams.broken_upstream,
    "slow-readers": streams.slow_readers,
    "leaving-clients": streams.leaving_clients,
    "many-streams": streams.many_streams,
    "large-bodies": bodies.large_bodies,
    "full-disk": bodies.full_disk,
    "panics": panics.panics,
    "limits": limits.killed_workers,
    "limits-inside": limits.workers_that_die_inside,
    "limits-changed": limits_moved.changed,
    "limits-resized": limits_moved.resized,
    "addresses": addresses.changing_addresses,
}
# Those that can go on for longer.
LONG = {
    "limits": partial(limits.killed_workers, rounds=40),
    "limits-inside": partial(limits.workers_that_die_inside, rounds=40),
}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options.add_argument("--long", action="store_true", help="a thousand deaths where limits are counted")
    options.add_argument("scenarios", nargs="*", default=list(SCENARIOS))
    options = options.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    scenarios = SCENARIOS | (LONG if options.long else {})
    failed = []
    print(f"seed {options.seed}", flush=True)
    for name in options.scenarios or SCENARIOS:
        tally = Tally()
        started = time.monotonic()
        asyncio.run(scenarios[name](tally, random.Random(f"{options.seed} {name}")))
        verdict = "ok" if tally.good() else "FAILED"
        print(f"{verdict:6} {name}: {tally} ({time.monotonic() - started:.0f} s)", flush=True)
        if not tally.good():
            failed.append(name)
            for kind in "wrong", "lost", "false":
                for line in getattr(tally, kind)[:10]:
                    print(f"       {kind}: {line}")
    sys.exit(f"failed: {' '.join(failed)}; again with --seed {options.seed}" if failed else 0)


if __name__ == "__main__":
    main()
