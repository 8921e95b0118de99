"""What every client test needs: bedrock-sim, a real nginx (master and worker) with the module before it, their logs, and
an upstream that checks signatures by itself."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import boto3
import openai
import pytest
from botocore.config import Config

from sigv4 import Verifier

ROOT = Path(__file__).resolve().parents[2]
MODULE = os.environ.get("TEST_BEDROCK_MODULE", str(ROOT / "build/ngx_http_bedrock_module.so"))
SIM = os.environ.get("TEST_BEDROCK_SIM", str(ROOT / "target/release/bedrock-sim"))
NGINX = os.environ.get("TEST_NGINX_BINARY") or shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
NODE_MODULES = os.environ.get("TEST_NODE_MODULES", str(ROOT / "build/node/node_modules"))
KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

# One JSON object for each request; a variable that nginx does not find is None in Python.
FIELDS = """
    operation api requested_model model region host uri input_tokens output_tokens total_tokens cache_read_tokens
    cache_write_tokens stop_reason time_to_first_token latency stream_status exception request_id tool_calls
    response_text credentials credentials_expire session_id search_units cost price limit_status limit_zone reserved charged charge
""".split()

CONFIG = """
load_module {module};
worker_processes {workers};
pid nginx.pid;
error_log error.log info;
{user}
{main}
events {{ worker_connections {connections}; }}
http {{
    client_body_temp_path body_temp;
    proxy_temp_path       proxy_temp;
    fastcgi_temp_path     fastcgi_temp;
    uwsgi_temp_path       uwsgi_temp;
    scgi_temp_path        scgi_temp;
    log_format llm escape=json '{{"status":"$status","upstream_status":"$upstream_status"{fields}}}';
    access_log access.log llm;
    # After an upstream's failure nginx may wait for the client to close, and logs the request only then.
    lingering_timeout 200ms;
    {http}
    server {{
        listen 127.0.0.1:{port};
        {server}
    }}
}}
"""


def eventually(what, seconds=10):
    """The first true answer of what(), asked again and again."""
    end = time.monotonic() + seconds
    while True:
        answer = what()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.02)


def stop(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
    try:
        return process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def free_port():
    """A TCP port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class BedrockSim:
    """The stand-in for Bedrock, as strict as it can be."""

    def __init__(self, directory, *options):
        port_file = directory / "sim.port"
        self._log = open(directory / "sim.log", "wb")
        command = [SIM, "--with-parent", "--strict", "--listen", "127.0.0.1:0", "--port-file", str(port_file), *options]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        assert eventually(port_file.exists), (directory / "sim.log").read_text()
        self.port = int(port_file.read_text())

    def _control(self, method, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/__sim/{path}", method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read()

    def requests(self):
        """What came in since the last clear(): see crates/bedrock-sim/src/journal.rs."""
        return json.loads(self._control("GET", "requests"))

    def bills(self):
        """What it has charged for since then, by the answers' ids: see crates/bedrock-sim/src/bills.rs."""
        return json.loads(self._control("GET", "bills"))

    def clear(self):
        self._control("DELETE", "requests")

    def close(self):
        stop(self.process)
        self._log.close()


class Nginx:
    """nginx with the module, in a directory of its own."""

    def __init__(self, directory, server, http="", main="", env=None, workers=1, connections=512, module=MODULE):
        self.directory = directory
        self._processes = {"workers": workers, "connections": connections, "module": module}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._read = 0
        self._env = {"PATH": os.environ["PATH"], **(env or {})}
        self.configure(server, http, main)
        self.start()

    def start(self):
        """Starts it, once more if it has ended."""
        self.process = subprocess.Popen(
            [NGINX, "-p", f"{self.directory}/", "-e", "error.log", "-c", f"{self.directory}/nginx.conf", "-g", "daemon off;"],
            env=self._env,
            stderr=subprocess.DEVNULL,
        )
        assert eventually(lambda: listens(self.port) or self.process.poll() is not None) and listens(self.port), self.errors()
        # The master listens before there is anybody to answer.
        assert eventually(lambda: len(self.workers()) >= self._processes["workers"]), self.errors()

    def configure(self, server, http="", main=""):
        """Writes nginx.conf; reload() makes it count."""
        (self.directory / "nginx.conf").write_text(
            CONFIG.format(
                **self._processes,
                user="user root;" if os.getuid() == 0 and "user " not in main else "",
                fields="".join(f',"{field}":"$bedrock_{field}"' for field in FIELDS),
                port=self.port,
                server=server,
                http=http,
                main=main,
            )
        )

    def reload(self):
        """SIGHUP; returns when another worker has come."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: self.workers() - before), self.errors()

    def workers(self):
        """The process ids of master's children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return set(map(int, children.split()))

    def next_log(self):
        """The next line of the access log that was not yet asked for; it is written after the client has its answer."""

        def line():
            lines = self._lines()
            return lines[self._read] if len(lines) > self._read else None

        text = eventually(line, 5)
        assert text, f"no further line in access.log\n{self.errors()}"
        self._read += 1
        return {name: value or None for name, value in json.loads(text).items()}

    def logs(self, count):
        """The access log, as soon as it has so many lines."""
        assert eventually(lambda: len(self._lines()) >= count), f"only {len(self._lines())} lines in access.log"
        return [{name: value or None for name, value in json.loads(line).items()} for line in self._lines()]

    def skip_log(self):
        """Forgets the lines so far."""
        self._read = len(self._lines())

    def _lines(self):
        path = self.directory / "access.log"
        return [line for line in path.read_text().splitlines(True) if line.endswith("\n")] if path.exists() else []

    def errors(self):
        path = self.directory / "error.log"
        return path.read_text() if path.exists() else ""

    def close(self):
        stop(self.process)


def defaults(upstream_port, credentials=""):
    """http level: an upstream on that port, signed for with static credentials."""
    return f"""
    upstream bedrock {{ server 127.0.0.1:{upstream_port}; keepalive 16; }}
    bedrock_credentials test {{
        source            static;
        access_key_id     {KEY_ID};
        secret_access_key {SECRET};
        {credentials}
    }}
    bedrock_auth     test;
    bedrock_region   us-east-1;
    bedrock_endpoint 127.0.0.1:{upstream_port};
    include          {ROOT}/nginx-conf/bedrock_params;
    """


LOCATION = "location / { bedrock on; proxy_pass http://bedrock; }"


@pytest.fixture(scope="session")
def sim_process(tmp_path_factory):
    sim = BedrockSim(tmp_path_factory.mktemp("sim"))
    yield sim
    sim.close()


@pytest.fixture
def sim(sim_process):
    """The stand-in, with an empty journal."""
    sim_process.clear()
    return sim_process


@pytest.fixture
def nginx(tmp_path):
    """nginx(server, http="", main="", env=None) starts one more; all end with the test."""
    started = []

    def start(*arguments, **options):
        directory = tmp_path / f"nginx-{len(started)}"
        directory.mkdir()
        started.append(Nginx(directory, *arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def gateway_process(sim_process, tmp_path_factory):
    gateway = Nginx(tmp_path_factory.mktemp("gateway"), LOCATION, defaults(sim_process.port))
    yield gateway
    gateway.close()
    assert "[alert]" not in gateway.errors() and "[emerg]" not in gateway.errors(), gateway.errors()


@pytest.fixture
def gateway(gateway_process, sim):
    """The usual nginx before the stand-in: everything under /, static credentials."""
    gateway_process.skip_log()
    return gateway_process


@pytest.fixture
def verifier():
    """An upstream that checks signatures, see sigv4.py."""
    one = Verifier({KEY_ID: (SECRET, None)})
    yield one
    one.close()


def bedrock_client(url):
    """boto3, with a key that means nothing, and without retries."""
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-west-2",
        aws_access_key_id="CLIENT",
        aws_secret_access_key="the client's own secret",
        aws_session_token="the client's own token",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20, proxies={}),
    )


@pytest.fixture
def bedrock(gateway):
    return bedrock_client(gateway.url)


def openai_client(base_url):
    """The openai SDK, with a key that means nothing, and without retries."""
    return openai.OpenAI(base_url=base_url, api_key="anything", max_retries=0, timeout=20)
