"""Limits in an nginx that is replaced by another (USR2), and in one without workers."""

import os
import signal
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

from conftest import NGINX, defaults, eventually, listens
from test_limit_rates import LOCATION, USED, ask, left

BUDGET = 1_000_000
LIMIT = f"bedrock_limit_zone all zone=z:1m budget={BUDGET}t/total;"
# Which worker has charged how much.
LOG = "log_format by_worker '$pid $status $bedrock_charged'; access_log by_worker.log by_worker;"


@contextmanager
def started(gateway, *arguments, more=""):
    """The gateway's nginx anew, with other arguments; `more` at the beginning of its configuration."""
    gateway.close()
    conf = gateway.directory / "nginx.conf"
    conf.write_text(more + conf.read_text())
    command = [NGINX, "-p", f"{gateway.directory}/", "-e", "error.log", "-c", str(conf), *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: listens(gateway.port)), gateway.errors()
        yield process
    finally:
        process.kill()
        process.wait()


def children(process):
    return set(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


def asks_until(end, gateway, statuses):
    while not end.is_set():
        statuses.append(ask(gateway)[0])


def test_another_nginx_takes_over_and_counts_for_itself(nginx, sim):
    gateway = nginx(LOCATION.format("max"), LIMIT + LOG + defaults(sim.port), workers=2)
    pid_file = gateway.directory / "nginx.pid"

    def master():
        # USR2 has it renamed: it may go between a look and the next.
        try:
            return int(pid_file.read_text() or 0) or None
        except FileNotFoundError:
            return None

    masters = []
    with started(gateway):
        try:
            masters.append(eventually(master))
            end, statuses = threading.Event(), []
            threads = [threading.Thread(target=asks_until, args=(end, gateway, statuses)) for _ in range(8)]
            for thread in threads:
                thread.start()
            assert eventually(lambda: len(statuses) > 100)
            os.kill(masters[0], signal.SIGUSR2)
            new = eventually(lambda: master() not in (None, masters[0]) and master())
            masters.append(new)
            workers = eventually(lambda: len(children(new)) == 2 and children(new))
            # Both serve for a while.
            log = gateway.directory / "by_worker.log"

            def of_new():
                return [line for line in log.read_text().splitlines() if int(line.split()[0]) in workers]

            assert eventually(lambda: len(of_new()) > 50)
            os.kill(masters[0], signal.SIGQUIT)
            assert eventually(lambda: not Path(f"/proc/{masters[0]}").exists())
            before = len(statuses)
            assert eventually(lambda: len(statuses) > before + 100)
            end.set()
            for thread in threads:
                thread.join()
            assert set(statuses) == {200}
            assert eventually(lambda: len(log.read_text().splitlines()) == len(statuses) == len(sim.bills()))
            assert all(line.endswith(f" 200 {USED}") for line in log.read_text().splitlines())
            # Counted first: the question what is left has a line, too.
            expected = BUDGET - USED * len(of_new())
            assert left(gateway) == expected
            assert "[alert]" not in gateway.errors()
        finally:
            for process in masters:
                if Path(f"/proc/{process}").exists():
                    os.kill(process, signal.SIGTERM)
            assert eventually(lambda: not listens(gateway.port))


def test_a_process_that_is_its_own_master_counts(nginx, sim):
    gateway = nginx(LOCATION.format("max"), "bedrock_limit_zone all zone=z:1m budget=10kt/total;" + defaults(sim.port))
    with started(gateway, "-g", "daemon off;", more="master_process off;\n"):
        sim.clear()
        end, statuses = threading.Event(), []
        threads = [threading.Thread(target=asks_until, args=(end, gateway, statuses)) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert eventually(lambda: statuses.count(400) > 50)
        end.set()
        for thread in threads:
            thread.join()
        assert set(statuses) == {200, 400}
        assert statuses.count(200) == len(sim.bills()) and statuses.count(200) * USED <= 10_000
        assert left(gateway) == 10_000 - statuses.count(200) * USED
