#!/usr/bin/env python3
"""nginx with one worker and the module, before the stand-in for Bedrock, and the ways to ask it that run.py compares."""

import contextlib
import http.client
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NGINX = os.environ["NGINX_BINARY"]
MODULE = os.environ["BEDROCK_MODULE"]
SIM = os.environ["BEDROCK_SIM"]
LOAD = os.environ["BEDROCK_LOAD"]
LOOP_TURNS = os.environ["LOOP_TURNS_LIBRARY"]

# 50 deltas make 54 frames and 9 KB.
STREAM = "sim.long.frames-50.glue"
QUESTION = [{"role": "user", "content": "How are you?"}]
CONVERSE_QUESTION = [{"role": "user", "content": [{"text": "How are you?"}]}]
CLAUDE_QUESTION = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1000, "messages": QUESTION}


class Row:
    """A way to the same answer: where the client asks, with which body, for a model of the stand-in's."""

    def __init__(self, name, floor, path, body, vendor=""):
        self.name, self.floor, self.path, self.body, self.vendor = name, floor, path, body, vendor
        # The end of a stream of Responses has the whole answer again, so that is kept.
        self.repeats = path.endswith("/responses")

    def request(self, model):
        model = self.vendor + model
        return self.path.format(model=model), json.dumps(self.body(model))

    def whole(self, model):
        """The same for an answer in one piece."""
        path, body = self.request(model)
        path = path.replace("converse-stream", "converse").replace("invoke-with-response-stream", "invoke")
        return path, body.replace('"stream": true, ', "")


CONVERSE = "plain proxy_pass"
INVOKE = "plain proxy_pass, invoke"
ROWS = [
    Row(CONVERSE, None, "/plain/model/{model}/converse-stream",
        lambda model: {"messages": CONVERSE_QUESTION}),
    Row("native", CONVERSE, "/bedrock/model/{model}/converse-stream",
        lambda model: {"messages": CONVERSE_QUESTION}),
    Row("Converse to SSE", CONVERSE, "/bedrock/converse",
        lambda model: {"model": model, "stream": True, "messages": CONVERSE_QUESTION}),
    Row("OpenAI SSE", CONVERSE, "/bedrock/v1/chat/completions",
        lambda model: {"model": model, "stream": True, "messages": QUESTION}),
    Row("Responses SSE", CONVERSE, "/bedrock/v1/responses",
        lambda model: {"model": model, "stream": True, "input": QUESTION}),
    Row("Anthropic SSE", CONVERSE, "/bedrock/v1/messages",
        lambda model: {"model": model, "stream": True, "max_tokens": 1000, "messages": QUESTION}),
    Row(INVOKE, None, "/plain/model/{model}/invoke-with-response-stream",
        lambda model: CLAUDE_QUESTION, vendor="anthropic."),
    Row("native, invoke", INVOKE, "/bedrock/model/{model}/invoke-with-response-stream",
        lambda model: CLAUDE_QUESTION, vendor="anthropic."),
    Row("Anthropic SSE, invoke", INVOKE, "/bedrock/v1/messages",
        lambda model: {"model": model, "stream": True, "max_tokens": 1000, "messages": QUESTION}, vendor="anthropic."),
]

def native(name, location):
    return Row(name, None, f"/{location}/model/{{model}}/converse-stream", lambda model: {"messages": CONVERSE_QUESTION})


# The same without a limit, with one or two, and with a key that no request before has had.
LIMITED_ROWS = [native("no limit", "bedrock"), native("1 limit, 1 key", "rate"), native("1 limit, a new key each", "keys"),
                native("3 limits, 1 key each", "three")]
LIMIT_ZONES = """
    bedrock_prices {root}/nginx-conf/bedrock_prices;
    bedrock_price_unknown free;
    bedrock_limit_zone all zone=tokens:1m rate=1000000Mt/m;
    bedrock_limit_zone $connection.$connection_requests zone=keys:2m rate=1000000Mt/m;
    bedrock_limit_zone all zone=money:1m budget=1000000usd/month tz=Europe/Berlin;
    bedrock_limit_zone all zone=open:1m concurrency=10000;
"""
LIMITED_LOCATION = """
        location /{path}/ {{
            bedrock on;
            bedrock_region us-east-1;
            bedrock_endpoint 127.0.0.1:{sim};
            bedrock_auth bench;
            {limits}
            proxy_pass http://sim;
        }}
"""
LIMITED = {"rate": ["tokens"], "keys": ["keys"], "three": ["tokens", "money", "open"]}

CONFIGURATION = """
load_module {module};
daemon off;
worker_processes 1;
{affinity}
env LOOP_TURNS;
worker_rlimit_nofile 65535;
error_log {work}/error.log error;
pid {work}/nginx.pid;
events {{ worker_connections 65000; }}
http {{
    access_log off;
    # As in the nginx.conf that nginx comes with. Without it nginx sends a body that is in a file in one turn.
    sendfile on;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/unused; uwsgi_temp_path {work}/unused; scgi_temp_path {work}/unused;
    keepalive_requests 1000000;
    upstream sim {{ server 127.0.0.1:{sim}; keepalive 256; keepalive_requests 1000000; }}
    bedrock_credentials bench {{ source static; access_key_id AKIDEXAMPLE; secret_access_key bench; }}
    include {root}/nginx-conf/bedrock_params;
    {zones}
    server {{
        listen 127.0.0.1:{port} backlog=20000;
        location /plain/ {{ proxy_pass http://sim/; }}
        location /still {{ return 200 "here"; }}
        location /bedrock/ {{
            bedrock on;
            bedrock_region us-east-1;
            bedrock_endpoint 127.0.0.1:{sim};
            bedrock_auth bench;
            proxy_pass http://sim;
        }}
        {limited}
    }}
}}
"""


class Gateway:
    """nginx with one worker, before the stand-in for Bedrock."""

    def __init__(self, times_turns=False, apart=True, limits=False):
        """`apart`: the worker has a processor for itself; otherwise its threads may have another one."""
        self.limits = limits
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="bench."))
        # The worker is another user, and keeps large bodies here.
        self.work.chmod(0o755)
        self.turns_file = self.work / "turns" if times_turns else None
        others = sorted(os.sched_getaffinity(0))[1:]
        self.apart = apart and others
        self.beside = ["taskset", "-c", ",".join(map(str, others))] if self.apart else ["nice", "-n", "10"]
        self.processes = []

    def __enter__(self):
        port_file = self.work / "sim.port"
        self.start([*self.beside, SIM, "--no-auth", "--listen", "127.0.0.1:0", "--port-file", port_file])
        sim = wait_for("the stand-in", lambda: port_file.exists() and port_file.read_text().strip())
        self.port = free_port()
        conf = self.work / "nginx.conf"
        sim = sim.rpartition(":")[2]
        limited = [LIMITED_LOCATION.format(path=path, sim=sim, limits=" ".join(f"bedrock_limit zone={zone};" for zone in zones))
                   for path, zones in LIMITED.items()]
        conf.write_text(CONFIGURATION.format(
            module=MODULE, work=self.work, root=ROOT, sim=sim, port=self.port,
            zones=LIMIT_ZONES.format(root=ROOT) if self.limits else "", limited="".join(limited) if self.limits else "",
            affinity=f"worker_cpu_affinity {1 << min(os.sched_getaffinity(0)):b};" if self.apart else ""))
        environment = {name: value for name, value in os.environ.items()
                       if name != "NGINX" and not name.startswith("AWS_")}
        if self.turns_file:
            self.turns_file.touch()
            self.turns_file.chmod(0o666)
            environment |= {"LD_PRELOAD": LOOP_TURNS, "LOOP_TURNS": str(self.turns_file)}
        nginx = self.start([NGINX, "-p", self.work, "-c", conf], environment)
        self.worker = wait_for("nginx", lambda: only_child(nginx.pid))
        wait_for("nginx", lambda: self.ask(ROWS[0], STREAM, requests=1))
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()

    def start(self, command, environment=None):
        log = open(self.work / "processes.log", "ab")
        process = subprocess.Popen([str(part) for part in command], env=environment,
                                   stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def command(self, row, model, options):
        path, body = row.request(model)
        command = [*self.beside, LOAD, "--connect", f"127.0.0.1:{self.port}", "--path", path, "--body", body]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        return command

    def ask(self, row, model, **options):
        """Sends requests; what came of them, or None if one failed."""
        done = subprocess.run(self.command(row, model, options), capture_output=True, text=True)
        if done.returncode:
            print(done.stderr.strip(), file=sys.stderr)
            return None
        return json.loads(done.stdout)

    def cpu(self):
        """Nanoseconds that the worker has run, its threads included."""
        tasks = pathlib.Path(f"/proc/{self.worker}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks)

    @contextlib.contextmanager
    def turns(self):
        """The turns of the worker's event loop meanwhile: milliseconds that each has worked (see crates/loop-turns)."""
        before = self.turns_file.stat().st_size
        found = []
        yield found
        with self.turns_file.open("rb") as file:
            file.seek(before)
            found += (worked / 1e6 for worked, in struct.iter_unpack("<I", file.read()))

    def post(self, path, body):
        """Sends a request, and takes whatever comes of it."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port)) as client:
            client.request("POST", path, body, {"Content-Type": "application/json"})
            client.getresponse().read()

    def wait_beside(self, path, body, requests):
        """Sends requests one after the other; how long others on this worker wait meanwhile: ms, 99th percentile and worst."""
        file = self.work / "body.json"
        file.write_text(body)
        load = [*self.beside, LOAD, "--connect", f"127.0.0.1:{self.port}", "--path", path]
        busy = subprocess.Popen([*load, "--body-file", str(file), "--requests", str(requests)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        waits = []
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port)) as other:
            while busy.poll() is None:
                began = time.perf_counter()
                other.request("GET", "/still")
                other.getresponse().read()
                waits.append((time.perf_counter() - began) * 1000)
                time.sleep(0.0005)
        if busy.returncode:
            sys.exit(f"{path}: {busy.stderr.read().strip()}")
        waits.sort()
        return waits[int(len(waits) * 0.99)], waits[-1]

    def memory(self):
        """The worker's resident memory in KiB."""
        status = pathlib.Path(f"/proc/{self.worker}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))

    def measured(self, row, model, **options):
        """CPU in microseconds a request, and what came of them."""
        before = self.cpu()
        report = self.ask(row, model, **options)
        if report is None:
            sys.exit(f"{row.name}: requests failed")
        return (self.cpu() - before) / 1000 / report["requests"], report

    @contextlib.contextmanager
    def open_streams(self, row, model, connections):
        command = self.command(row, model, {"connections": connections}) + ["--hold"]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if holder.stdout.readline().strip() != "open":
                sys.exit(f"{row.name}: {connections} streams could not be opened")
            yield
        finally:
            holder.stdin.close()
            holder.wait()


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    sys.exit(f"{what} did not start")


def only_child(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if len(children) == 1 else None


def free_port():
    import socket
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
