"""Budgets when the clock of the wall is set: by a step back or forward, and where summer time begins or ends. nginx takes the time from a
file, by libfaketime; it stands still there."""

import json
import os
import re
from datetime import datetime, timedelta

import pytest

from conftest import ROOT, BedrockSim, defaults
from test_limit_rates import ask

# See scripts/faketime.sh.
FAKETIME = os.environ.get("TEST_FAKETIME") or next(map(str, (ROOT / "build/faketime").rglob("libfaketime.so.1")), None)
SERVER = "location / { bedrock on; bedrock_limit zone=z; bedrock_limit_reserve off; proxy_pass http://bedrock; }"
# Three answers of 37 tokens are more than that, two are less.
BUDGET = "100t"


class Clock:
    """What nginx takes for the time: UTC."""

    def __init__(self, directory):
        self._file = directory / "time"
        self.environment = {
            "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC",
        }

    def set(self, moment):
        """`2026-03-28 22:59:59`"""
        self.now = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.now:%Y-%m-%d %H:%M:%S}\n")
        new.rename(self._file)

    def step(self, **by):
        self.set(self.now + timedelta(**by))


@pytest.fixture
def clock(tmp_path):
    assert FAKETIME, "run scripts/faketime.sh"
    return Clock(tmp_path)


@pytest.fixture
def limited(nginx, clock, tmp_path):
    """limited(limit) is nginx with this limit, from the moment on to which the clock is set. Its Bedrock is open to all: signatures are
    of another time there."""
    sim = BedrockSim(tmp_path, "--no-auth")

    def start(limit):
        main = "".join(f"env {name};" for name in clock.environment)
        return nginx(SERVER, f"bedrock_limit_zone all zone=z:1m {limit};" + defaults(sim.port), main, env=clock.environment)

    yield start
    sim.close()


def passes(gateway):
    status, body = ask(gateway)
    assert status in (200, 400, 429), body
    return status == 200


def spend(gateway):
    """Takes all that is left; how many requests that were."""
    count = 0
    while passes(gateway):
        count += 1
    return count


def seconds_to_wait(gateway):
    """As the message says: it is exact."""
    message = json.loads(ask(gateway)[1])["message"]
    hours, minutes, seconds = re.search(r"Try again in (?:(\d+)h)?(?:(\d+)m)?(\d+)s\.", message).groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


WINDOWS = {
    # The first second of the window, the last one, and the first of the next.
    "23 hours": ("day", "Europe/Berlin", "2026-03-28 23:00:00", "2026-03-29 21:59:59", "2026-03-29 22:00:00"),
    "25 hours": ("day", "Europe/Berlin", "2026-10-24 22:00:00", "2026-10-25 22:59:59", "2026-10-25 23:00:00"),
    "before 23 hours": ("day", "Europe/Berlin", "2026-03-27 23:00:00", "2026-03-28 22:59:59", "2026-03-28 23:00:00"),
    "no midnight": ("day", "Africa/Cairo", "2026-04-23 22:00:00", "2026-04-24 20:59:59", "2026-04-24 21:00:00"),
    "month in which summer begins": ("month", "Europe/Berlin", "2026-02-28 23:00:00", "2026-03-31 21:59:59", "2026-03-31 22:00:00"),
    "month in which summer ends": ("month", "Europe/Berlin", "2026-09-30 22:00:00", "2026-10-31 22:59:59", "2026-10-31 23:00:00"),
    "week in which summer begins": ("week", "Europe/Berlin", "2026-03-22 23:00:00", "2026-03-29 21:59:59", "2026-03-29 22:00:00"),
    "leap day": ("month", "UTC", "2028-02-01 00:00:00", "2028-02-29 23:59:59", "2028-03-01 00:00:00"),
    "hour that comes twice": ("hour", "Europe/Berlin", "2026-10-25 00:00:00", "2026-10-25 00:59:59", "2026-10-25 01:00:00"),
    "year": ("month", "-03:30", "2026-12-01 03:30:00", "2027-01-01 03:29:59", "2027-01-01 03:30:00"),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_begin_and_end_by_their_zones_clock(limited, clock, name):
    period, zone, first, last, after = WINDOWS[name]
    clock.set(first)
    clock.step(seconds=-1)
    gateway = limited(f"budget={BUDGET}/{period} tz={zone}")
    assert spend(gateway) == 3
    assert seconds_to_wait(gateway) == 1
    clock.set(first)
    assert spend(gateway) == 3
    length = datetime.fromisoformat(after) - datetime.fromisoformat(first)
    assert seconds_to_wait(gateway) == length.total_seconds()
    clock.set(last)
    assert not passes(gateway)
    clock.set(after)
    assert spend(gateway) == 3


@pytest.mark.parametrize("step", [{"minutes": 5}, {"days": 1}], ids=["five minutes", "a day"])
def test_a_step_back_gives_nothing_a_second_time(limited, clock, step):
    clock.set("2026-06-17 12:00:00")
    gateway = limited(f"budget={BUDGET}/day")
    assert spend(gateway) == 3
    clock.step(**{unit: -amount for unit, amount in step.items()})
    assert not passes(gateway)
    clock.step(**step)
    assert not passes(gateway)
    clock.set("2026-06-17 23:59:59")
    assert not passes(gateway)
    clock.set("2026-06-18 00:00:00")
    assert spend(gateway) == 3


def test_a_step_forward_by_minutes_changes_nothing(limited, clock):
    clock.set("2026-06-17 12:00:00")
    gateway = limited(f"budget={BUDGET}/day")
    assert passes(gateway)
    clock.step(minutes=5)
    assert passes(gateway)
    clock.step(minutes=-5)
    assert passes(gateway) and not passes(gateway)
    clock.set("2026-06-18 00:00:00")
    assert spend(gateway) == 3


def test_a_step_forward_by_a_day_takes_of_that_day(limited, clock):
    """The clock was wrong for a moment. What was used then is used of the next day, and until that is over there is no more."""
    clock.set("2026-06-17 12:00:00")
    gateway = limited(f"budget={BUDGET}/day")
    assert passes(gateway)
    clock.step(days=1)
    assert passes(gateway)
    clock.step(days=-1)
    assert spend(gateway) == 2
    clock.set("2026-06-18 12:00:00")
    assert not passes(gateway)
    clock.set("2026-06-19 00:00:00")
    assert spend(gateway) == 3


def test_whoever_is_locked_out_by_a_step_is_told_how_long(limited, clock):
    clock.set("2026-06-18 12:00:00")
    gateway = limited(f"budget={BUDGET}/day tz=Europe/Berlin")
    assert spend(gateway) == 3
    clock.step(days=-1)
    assert seconds_to_wait(gateway) == (24 + 10) * 3600


@pytest.mark.parametrize("limit, most", [("budget=100t/total", 3), ("rate=1t/d burst=100t", 3), ("rate=1r/d burst=2r", 2)])
def test_what_has_no_window_does_not_see_the_clock(limited, clock, limit, most):
    clock.set("2026-06-17 12:00:00")
    gateway = limited(limit)
    assert spend(gateway) == most
    for step in {"minutes": 5}, {"minutes": -10}, {"days": 1}, {"days": -2}, {"days": 400}:
        clock.step(**step)
        assert not passes(gateway), step
