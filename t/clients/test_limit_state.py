"""What limits have counted outlives nginx: restarts, kills, USR2, new starts of the machine; and files that are broken, or not ours."""

import fcntl
import json
import os
import pwd
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request
import zlib
from pathlib import Path

import pytest

from conftest import NGINX, defaults, eventually, stop

CHAT = json.dumps({"model": "us.amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": "Hi"}]}).encode()
SERVER = "location / { bedrock on; bedrock_limit zone=spent; proxy_pass http://bedrock; }"
BUDGET = "budget=100r/total"
HEAD, RECORD = 88, 96


def limited(sim, limit=BUDGET, state="spent.state", size="1m", key="$http_team"):
    state = state and f"state={state}"
    return f"bedrock_limit_zone {key} zone=spent:{size} {limit} {state};" + defaults(sim.port)


def left(gateway, team="secret-key-of-a-team"):
    """How many requests are left after one more; None if it is refused."""
    headers = {"Content-Type": "application/json", "Team": team, "Connection": "close"}
    request = urllib.request.Request(f"{gateway.url}/v1/chat/completions", CHAT, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.headers["x-ratelimit-remaining-requests"])
    except urllib.error.HTTPError as error:
        assert error.code == 429, error.read()
        return None


def file_of(gateway):
    return gateway.directory / "spent.state"


def written(path):
    """The second word of each key, which for a budget is what is used; none if there is no whole file."""
    data = path.read_bytes() if path.exists() else b""
    if len(data) < HEAD or zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
        return []
    start = HEAD + struct.unpack_from("<I", data, 12)[0]
    return [struct.unpack_from("<Q", data, place + 40)[0] for place in range(start, len(data) - 4, RECORD)]


def writer(path):
    """Which of those that run at the same time has written it."""
    return struct.unpack_from("<Q", path.read_bytes(), 40)[0]


def change(path, place, value):
    """Changes the file, whose checksum then fits."""
    data = bytearray(path.read_bytes())
    data[place : place + len(value)] = value
    data[-4:] = struct.pack("<I", zlib.crc32(data[:-4]))
    path.write_bytes(data)


def kill_all(gateway):
    for pid in [gateway.process.pid, *gateway.workers()]:
        os.kill(pid, signal.SIGKILL)
    gateway.process.wait()


def lines(gateway, level):
    return [line for line in gateway.errors().splitlines() if f"[{level}]" in line and "state" in line]


def test_configuration(gateway):
    return subprocess.run(
        [NGINX, "-t", "-p", f"{gateway.directory}/", "-e", "error.log", "-c", f"{gateway.directory}/nginx.conf"],
        capture_output=True,
        text=True,
    )


test_configuration.__test__ = False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT], ids=["fast", "graceful"])
@pytest.mark.parametrize("limit", [BUDGET, "budget=100r/month tz=+01:00", "rate=100r/d burst=100r"])
def test_a_restart_keeps_count(nginx, sim, how, limit):
    gateway = nginx(SERVER, limited(sim, limit), workers=2)
    assert [left(gateway) for _ in range(3)] == [99, 98, 97]
    assert left(gateway, "another") == 99
    stop(gateway.process, how)
    state = file_of(gateway)
    assert state.stat().st_mode & 0o777 == 0o600
    assert b"secret" not in state.read_bytes() and b"another" not in state.read_bytes()
    assert not Path(f"{state}.new").exists()
    gateway.start()
    assert (left(gateway), left(gateway, "another"), left(gateway, "a third")) == (96, 98, 99)
    assert lines(gateway, "alert") == [] == lines(gateway, "warn")


def test_without_a_file_a_restart_begins_anew(nginx, sim):
    gateway = nginx(SERVER, limited(sim, state=""))
    assert left(gateway) == 99
    stop(gateway.process)
    gateway.start()
    assert left(gateway) == 99


def test_a_killed_nginx_has_lost_what_was_not_written(nginx, sim):
    gateway = nginx(SERVER, limited(sim), workers=2)
    assert [left(gateway) for _ in range(3)] == [99, 98, 97]
    assert eventually(lambda: written(file_of(gateway)) == [3])
    kill_all(gateway)
    gateway.start()
    assert left(gateway) == 96


def test_it_is_written_only_if_something_has_changed(nginx, sim):
    gateway = nginx(SERVER, limited(sim), workers=2)
    left(gateway)
    assert eventually(lambda: written(file_of(gateway)) == [1])
    before = file_of(gateway).stat()
    for _ in range(2):
        gateway.reload()
    # The workers of before have ended, and written what there was.
    assert eventually(lambda: gateway.errors().count("exited with code 0") == 4)
    assert file_of(gateway).stat().st_ino == before.st_ino


def flip(path):
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


BREAK = {
    "a bit": (flip, "its checksum is wrong"),
    "torn": (lambda path: path.write_bytes(path.read_bytes()[:-50]), "its checksum is wrong"),
    "empty": (lambda path: path.write_bytes(b""), "it is not whole"),
    "another version": (lambda path: change(path, 8, struct.pack("<I", 7)), "it is of version 7 of its format, and this is version 1"),
}


@pytest.mark.parametrize("name", BREAK)
def test_a_broken_file_is_not_trusted_and_kept_aside(nginx, sim, name):
    gateway = nginx(SERVER, limited(sim))
    assert left(gateway) == 99
    stop(gateway.process)
    state, aside = file_of(gateway), Path(f"{file_of(gateway)}.broken")
    do, flaw = BREAK[name]
    do(state)
    broken = state.read_bytes()
    test = test_configuration(gateway)
    assert test.returncode == 0 and flaw in test.stderr, test.stderr
    assert state.read_bytes() == broken and not aside.exists()
    before = len(lines(gateway, "alert"))
    gateway.start()
    assert left(gateway) == 99
    assert eventually(lambda: aside.exists() and written(state) == [1])
    assert aside.read_bytes() == broken
    (line,) = lines(gateway, "alert")[before:]
    assert f'zone "spent": its state file "{state}" is not used: {flaw}. Counting begins anew' in line


def test_a_file_of_another_limit_is_not_misread(nginx, sim):
    gateway = nginx(SERVER, limited(sim, "budget=100r/day"))
    assert left(gateway) == 99
    stop(gateway.process)
    gateway.configure(SERVER, limited(sim, "budget=100r/month"))
    gateway.start()
    assert left(gateway) == 99
    (line,) = lines(gateway, "alert")
    assert 'it is of zone "spent", a budget in requests a day, and not of zone "spent", a budget in requests a month' in line
    aside = Path(f"{file_of(gateway)}.broken")
    assert eventually(lambda: aside.exists() and written(file_of(gateway)) == [1])
    assert written(aside) == [1]


def test_a_file_that_is_broken_under_way_is_made_anew(nginx, sim):
    gateway = nginx(SERVER, limited(sim))
    left(gateway)
    state = file_of(gateway)
    assert eventually(lambda: written(state) == [1])
    flip(state)
    assert eventually(lambda: written(state) == [1])
    assert written(Path(f"{state}.broken")) == []
    assert left(gateway) == 98


def test_a_file_of_somebody_else_is_left_alone(nginx, sim):
    gateway = nginx(SERVER, limited(sim), workers=2)
    left(gateway)
    state = file_of(gateway)
    assert eventually(lambda: written(state) == [1])
    state.unlink()
    state.write_text("a letter")
    assert eventually(lambda: lines(gateway, "error"))
    assert "there is something else" in lines(gateway, "error")[0]
    stop(gateway.process)
    assert state.read_text() == "a letter"
    assert len(lines(gateway, "error")) == 1
    test = test_configuration(gateway)
    assert test.returncode == 1 and "which is something else: name another file in " in test.stderr


@pytest.mark.parametrize("size", ["1m", "4m"], ids=["same", "another size"])
def test_a_reload_goes_on_with_the_memory(nginx, sim, size):
    gateway = nginx(SERVER, limited(sim), workers=2)
    assert left(gateway) == 99
    assert eventually(lambda: written(file_of(gateway)) == [1])
    left(gateway)
    left(gateway)
    gateway.configure(SERVER, limited(sim, size=size))
    gateway.reload()
    assert eventually(lambda: gateway.errors().count("exited with code 0") == 2)
    assert left(gateway) == 96
    assert eventually(lambda: written(file_of(gateway)) == [4])
    stop(gateway.process)
    gateway.start()
    assert left(gateway) == 95


def test_a_file_that_a_reload_adds_gets_what_there_is(nginx, sim):
    gateway = nginx(SERVER, limited(sim))
    assert left(gateway) == 99
    stop(gateway.process)
    old = file_of(gateway).read_bytes()
    gateway.configure(SERVER, limited(sim, state=""))
    gateway.start()
    assert [left(gateway), left(gateway)] == [99, 98]
    gateway.configure(SERVER, limited(sim))
    gateway.reload()
    assert eventually(lambda: written(file_of(gateway)) == [2])
    assert Path(f"{file_of(gateway)}.broken").read_bytes() == old
    stop(gateway.process)
    gateway.start()
    assert left(gateway) == 97


def test_a_smaller_zone_has_what_was_asked_for_last(nginx, sim):
    """64k has room for 440 keys at most."""
    gateway = nginx(SERVER, limited(sim))
    teams = [f"team-{number}" for number in range(500)]
    assert {left(gateway, team) for team in teams} == {99}
    stop(gateway.process)
    gateway.configure(SERVER, limited(sim, size="64k"))
    gateway.start()
    (line,) = lines(gateway, "warn")
    assert re.search(r"has \d+ keys more than the zone has room for: they are not counted any more; enlarge the zone", line)
    assert {left(gateway, team) for team in teams[-200:]} == {98}


def test_without_the_file_it_begins_anew(nginx, sim):
    gateway = nginx(SERVER, limited(sim))
    assert left(gateway) == 99
    stop(gateway.process)
    file_of(gateway).unlink()
    gateway.start()
    assert left(gateway) == 99


@pytest.mark.parametrize("waited, passes", [(0, False), (-3600, False), (3600, True)], ids=["at once", "clock set back", "an hour later"])
def test_a_new_start_of_the_machine(nginx, sim, waited, passes):
    """The file is of an earlier start, whose steady clock has nothing to do with this one's."""
    gateway = nginx(SERVER, limited(sim, "rate=1r/h burst=1r"))
    assert (left(gateway), left(gateway)) == (0, None)
    stop(gateway.process)
    state = file_of(gateway)
    steady, wall = struct.unpack_from("<QQ", state.read_bytes(), 72)
    ahead = 10**9 * 10**7
    start = HEAD + struct.unpack_from("<I", state.read_bytes(), 12)[0]
    (arrival,) = struct.unpack_from("<Q", state.read_bytes(), start + 32)
    assert steady < arrival <= steady + 3600 * 10**9
    change(state, 56, bytes(16 * [7]))
    change(state, 72, struct.pack("<QQ", steady + ahead, wall - waited * 10**9))
    change(state, start + 32, struct.pack("<Q", arrival + ahead))
    gateway.start()
    assert (left(gateway) is not None) == passes
    assert len(lines(gateway, "warn")) == (waited < 0)
    if not passes:
        # It does not take longer than it did before.
        stop(gateway.process)
        steady, _ = struct.unpack_from("<QQ", state.read_bytes(), 72)
        (arrival,) = struct.unpack_from("<Q", state.read_bytes(), start + 32)
        assert steady < arrival <= steady + 3600 * 10**9


class Daemons:
    """An nginx that has no parent, as USR2 wants it, and those that it makes."""

    def __init__(self, gateway):
        gateway.close()
        self.directory = gateway.directory
        subprocess.run([NGINX, "-p", f"{self.directory}/", "-e", "error.log", "-c", f"{self.directory}/nginx.conf"], check=True)
        self.masters = [self.read("nginx.pid")]

    def read(self, name):
        path = self.directory / name
        assert eventually(lambda: path.exists() and path.read_text().strip())
        return int(path.read_text())

    def workers(self, master):
        children = Path(f"/proc/{master}/task/{master}/children")
        return list(map(int, children.read_text().split())) if children.exists() else []

    def upgrade(self):
        """USR2; the old one goes on."""
        (old,) = self.masters
        os.kill(old, signal.SIGUSR2)
        assert eventually(lambda: (self.directory / "nginx.pid.oldbin").exists())
        new = self.read("nginx.pid")
        self.masters.append(new)
        assert eventually(lambda: self.workers(new))
        return old, new

    def quit(self, master):
        os.kill(master, signal.SIGQUIT)
        assert eventually(lambda: not Path(f"/proc/{master}").exists())
        self.masters.remove(master)

    def close(self):
        only(self, *self.masters)
        for master in list(self.masters):
            self.quit(master)


@pytest.fixture
def daemons():
    started = []

    def start(gateway):
        started.append(Daemons(gateway))
        return started[-1]

    yield start
    for one in started:
        one.close()


def only(daemons, *masters):
    """The others' workers stand still, while none of them writes."""
    directory = os.open(daemons.directory, os.O_RDONLY)
    assert eventually(lambda: locked(directory))
    for one in daemons.masters:
        for worker in daemons.workers(one):
            os.kill(worker, signal.SIGCONT if one in masters else signal.SIGSTOP)
    os.close(directory)


def locked(directory):
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


@pytest.mark.parametrize("who", ["old", "new"])
def test_two_that_run_at_the_same_time_learn_from_each_other(nginx, sim, daemons, who):
    """USR2, then the old one ends, or the new one."""
    gateway = nginx(SERVER, limited(sim))
    both = daemons(gateway)
    assert [left(gateway) for _ in range(3)] == [99, 98, 97]
    assert eventually(lambda: written(file_of(gateway)) == [3])
    first = writer(file_of(gateway))
    old, new = both.upgrade()
    only(both, old)
    for _ in range(5):
        left(gateway)
    only(both, new)
    for _ in range(4):
        left(gateway)
    only(both, old, new)
    both.quit({"old": old, "new": new}[who])
    # Whoever is left has read what the other one wrote last, and writes it.
    assert eventually(lambda: written(file_of(gateway)) == [12] and (writer(file_of(gateway)) == first) == (who == "new"))
    assert left(gateway) == 87
    assert eventually(lambda: written(file_of(gateway)) == [13])
    assert lines(gateway, "alert") == lines(gateway, "error") == lines(gateway, "warn") == []


def test_nothing_is_lost_or_counted_twice_under_load(nginx, sim, daemons):
    """Requests go on through USR2, a reload, workers that are killed, and the end of the old nginx."""
    gateway = nginx(SERVER, limited(sim, "budget=1Mr/total"), workers=2)
    both = daemons(gateway)
    passed, done = [], threading.Event()

    def ask():
        while not done.is_set():
            try:
                passed.append(left(gateway) is not None)
            except OSError:
                # Of a worker that was killed; it may have counted it.
                passed.append(None)

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        state = file_of(gateway)
        assert eventually(lambda: sum(written(state)) > 20)
        old, new = both.upgrade()
        before = written(state)
        assert eventually(lambda: sum(written(state)) > sum(before) + 50)
        os.kill(both.workers(new)[0], signal.SIGKILL)
        os.kill(new, signal.SIGHUP)
        both.quit(old)
    finally:
        done.set()
        for client in clients:
            client.join()
    doubtful = passed.count(None)
    assert doubtful <= 4 and all(one in (True, None) for one in passed)
    both.quit(new)
    (counted,) = written(state)
    assert len(passed) - doubtful <= counted <= len(passed)


def test_two_that_begin_with_different_files(nginx, sim, daemons):
    """The later one keeps its own, and the other one says so."""
    gateway = nginx(SERVER, limited(sim))
    both = daemons(gateway)
    left(gateway)
    state = file_of(gateway)
    assert eventually(lambda: written(state) == [1])
    only(both)
    flip(state)
    old, new = both.upgrade()
    left(gateway)
    assert eventually(lambda: written(state) == [1])
    only(both, old)
    assert eventually(lambda: lines(gateway, "error"))
    assert "another nginx, which was started later, keeps its own there" in lines(gateway, "error")[0]
    both.quit(old)
    assert written(state) == [1]


def test_a_directory_that_goes_away_is_told_of_once(nginx, sim, tmp_path):
    directory = tmp_path / "states"
    directory.mkdir()
    gateway = nginx(SERVER, limited(sim, state=directory / "spent"), workers=2)
    left(gateway)
    assert eventually(lambda: written(directory / "spent") == [1])
    directory.rename(tmp_path / "elsewhere")
    assert eventually(lambda: lines(gateway, "error"))
    assert "No such file or directory" in lines(gateway, "error")[0]
    # It is tried again, and not told of again.
    turn = time.monotonic()
    assert eventually(lambda: time.monotonic() > turn + 6)
    assert len(lines(gateway, "error")) == 1
    (tmp_path / "elsewhere").rename(directory)
    left(gateway)
    assert eventually(lambda: written(directory / "spent") == [2])
    assert eventually(lambda: [line for line in lines(gateway, "notice") if "again" in line])
    gateway.close()


@pytest.fixture
def directory():
    """A directory that users other than root get to."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root's workers are somebody else")
def test_the_workers_user_has_to_be_able_to_write(nginx, sim, directory):
    states = directory / "states"
    states.mkdir()
    gateway = nginx(SERVER, limited(sim, state=""), main="user nobody nogroup;")
    gateway.configure(SERVER, limited(sim, state=states / "spent"), main="user nobody nogroup;")
    test = test_configuration(gateway)
    assert test.returncode == 1
    assert f"the user of nginx's workers may not read and write its directory \"{states}\": give it to that user, in " in test.stderr
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(states, nobody, -1)
    assert test_configuration(gateway).returncode == 0
    gateway.reload()
    left(gateway)
    assert eventually(lambda: written(states / "spent") == [1])
    assert (states / "spent").stat().st_uid == nobody
    # It is root's again while nginx runs.
    os.chown(states, 0, -1)
    left(gateway)
    assert eventually(lambda: lines(gateway, "error"))
    assert "Permission denied" in lines(gateway, "error")[0]
    os.chown(states, nobody, -1)
    assert eventually(lambda: written(states / "spent") == [2])
    os.chown(states / "spent", 0, -1)
    test = test_configuration(gateway)
    assert test.returncode == 1 and "the user of nginx's workers may not read it: give it to that user, in " in test.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="needs a file system of its own")
def test_a_full_disk(nginx, sim, tmp_path):
    """There is room for the file, and none for the next one beside it."""
    directory = tmp_path / "states"
    directory.mkdir()

    def mount(*options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", *options, "none", directory], check=True)

    mount("size=4k")
    try:
        gateway = nginx(SERVER, limited(sim, state=directory / "spent"))
        left(gateway)
        assert eventually(lambda: written(directory / "spent"))
        before = written(directory / "spent")
        left(gateway)
        assert eventually(lambda: lines(gateway, "error"))
        assert "No space left on device" in lines(gateway, "error")[0]
        # The file is as it was.
        assert written(directory / "spent") == before
        mount("remount,size=1m")
        assert eventually(lambda: written(directory / "spent") == [2])
        gateway.close()
    finally:
        subprocess.run(["umount", "-l", directory], check=True)
