"""A real Prometheus: Debian's, as scripts/prometheus.sh has unpacked it."""

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from conftest import ROOT, eventually, free_port, stop

PROGRAMS = Path(os.environ.get("TEST_PROMETHEUS", ROOT / "build/prometheus/usr/bin"))

CONFIGURATION = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [{rules}]
scrape_configs:
  - job_name: nginx
    metrics_path: {path}
    static_configs: [{{ targets: ["127.0.0.1:{target}"] }}]
"""


def promtool(*arguments, **options):
    """What promtool says, and whether it is content."""
    return subprocess.run([PROGRAMS / "promtool", *arguments], capture_output=True, text=True, **options)


class Prometheus:
    """Scrapes that port and evaluates the rules once a second; a context manager."""

    def __init__(self, directory, target, path, rules):
        self.port = free_port()
        configuration = directory / "prometheus.yml"
        configuration.write_text(CONFIGURATION.format(rules=rules, target=target, path=path))
        self._log = directory / "prometheus.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [PROGRAMS / "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={directory}/prometheus",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self):
        assert eventually(lambda: self._ready() or self.process.poll() is not None, 60) and self._ready(), self._log.read_text()
        return self

    def _ready(self):
        """It listens before it answers queries."""
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5).close() is None
        except OSError:
            return False

    def __exit__(self, *_):
        stop(self.process)

    def ask(self, path, **parameters):
        """The data of an answer of its API."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expression):
        """The labels and values of the moment; what is no number is no value."""
        found = self.ask("query", query=expression)["result"]
        return [(one["metric"], float(one["value"][1])) for one in found if one["value"][1] != "NaN"]
