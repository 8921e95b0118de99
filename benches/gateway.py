#!/usr/bin/env python3
"""What the module costs in nginx, beside plain proxy_pass of the same bytes in the same run.

    benches/gateway.py [cpu] [first-byte] [memory] [stall] [growth]    (all of them, if none is named)

Run it through `make bench`, which builds what it needs and says where that is:
NGINX_BINARY, BEDROCK_MODULE, BEDROCK_SIM and BEDROCK_LOAD. Needs nothing but Python.

CPU is the worker's own time (user and system) as the kernel counts it, so it does not depend on how busy the machine is as
much as a clock does; still, only the ratios within one run mean anything. Each figure is the median of several rounds, in
which all rows take turns.
"""

import contextlib
import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NGINX = os.environ["NGINX_BINARY"]
MODULE = os.environ["BEDROCK_MODULE"]
SIM = os.environ["BEDROCK_SIM"]
LOAD = os.environ["BEDROCK_LOAD"]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))

# 50 deltas make 54 frames and 9 KB.
STREAM = "sim.long.frames-50.glue"
# The same, each frame a write of its own, as a model makes them.
FRAME_BY_FRAME = "sim.long.frames-50"
QUESTION = [{"role": "user", "content": "How are you?"}]
CONVERSE_QUESTION = [{"role": "user", "content": [{"text": "How are you?"}]}]
CLAUDE_QUESTION = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1000, "messages": QUESTION}


class Row:
    """A way to the same answer: where the client asks, with which body, for a model of the stand-in's."""

    def __init__(self, name, floor, path, body, vendor=""):
        self.name, self.floor, self.path, self.body, self.vendor = name, floor, path, body, vendor

    def request(self, model):
        model = self.vendor + model
        return self.path.format(model=model), json.dumps(self.body(model))


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
    Row("Anthropic SSE", CONVERSE, "/bedrock/v1/messages",
        lambda model: {"model": model, "stream": True, "max_tokens": 1000, "messages": QUESTION}),
    Row(INVOKE, None, "/plain/model/{model}/invoke-with-response-stream",
        lambda model: CLAUDE_QUESTION, vendor="anthropic."),
    Row("native, invoke", INVOKE, "/bedrock/model/{model}/invoke-with-response-stream",
        lambda model: CLAUDE_QUESTION, vendor="anthropic."),
    Row("Anthropic SSE, invoke", INVOKE, "/bedrock/v1/messages",
        lambda model: {"model": model, "stream": True, "max_tokens": 1000, "messages": QUESTION}, vendor="anthropic."),
]

CONFIGURATION = """
load_module {module};
daemon off;
worker_processes 1;
worker_rlimit_nofile 65535;
error_log {work}/error.log error;
pid {work}/nginx.pid;
events {{ worker_connections 65000; }}
http {{
    access_log off;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/unused; uwsgi_temp_path {work}/unused; scgi_temp_path {work}/unused;
    keepalive_requests 1000000;
    upstream sim {{ server 127.0.0.1:{sim}; keepalive 256; keepalive_requests 1000000; }}
    bedrock_credentials bench {{ source static; access_key_id AKIDEXAMPLE; secret_access_key bench; }}
    include {root}/nginx-conf/bedrock_params;
    server {{
        listen 127.0.0.1:{port} backlog=20000;
        location /plain/ {{ proxy_pass http://sim/; }}
        location /bedrock/ {{
            bedrock on;
            bedrock_region us-east-1;
            bedrock_endpoint 127.0.0.1:{sim};
            bedrock_auth bench;
            proxy_pass http://sim;
        }}
    }}
}}
"""


class Gateway:
    """nginx with one worker, before the stand-in for Bedrock."""

    def __init__(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="bench."))
        # The worker is another user, and keeps large bodies here.
        self.work.chmod(0o755)
        self.processes = []

    def __enter__(self):
        port_file = self.work / "sim.port"
        self.start([SIM, "--no-auth", "--listen", "127.0.0.1:0", "--port-file", port_file])
        sim = wait_for("the stand-in", lambda: port_file.exists() and port_file.read_text().strip())
        self.port = free_port()
        conf = self.work / "nginx.conf"
        conf.write_text(CONFIGURATION.format(
            module=MODULE, work=self.work, root=ROOT, sim=sim.rpartition(":")[2], port=self.port))
        environment = {name: value for name, value in os.environ.items()
                       if name != "NGINX" and not name.startswith("AWS_")}
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
        command = [LOAD, "--connect", f"127.0.0.1:{self.port}", "--path", path, "--body", body]
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
        """Nanoseconds that the worker has run."""
        return int(pathlib.Path(f"/proc/{self.worker}/schedstat").read_text().split()[0])

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


def table(title, head, lines):
    print(f"\n{title}\n")
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    for line in [head, ["-" * width for width in widths], *lines]:
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        print("  " + "  ".join(cells).rstrip())
    sys.stdout.flush()


def take_turns(gateway, measure):
    """The median of each row's figures; `measure` gives a tuple of numbers."""
    found = {row.name: [] for row in ROWS}
    for row in ROWS:
        measure(row)
    for _ in range(ROUNDS):
        for row in ROWS:
            found[row.name].append(measure(row))
    return {name: [statistics.median(column) for column in zip(*rounds)] for name, rounds in found.items()}


def cpu():
    """CPU of a short and of a long stream, and requests a second."""
    long_frames = 2000
    with Gateway() as gateway:
        def measure(row):
            short, report = gateway.measured(row, STREAM, connections=8, requests=2000)
            long, _ = gateway.measured(row, f"sim.long.frames-{long_frames}.glue", connections=4, requests=40)
            apart, _ = gateway.measured(row, FRAME_BY_FRAME, connections=8, requests=1000)
            return short, long, apart, report["per_second"]
        figures = take_turns(gateway, measure)
    lines = []
    for row in ROWS:
        short, long, apart, per_second = figures[row.name]
        of_floor = figures[row.floor or row.name]
        lines.append([
            row.name, f"{apart / of_floor[2]:.2f}x", f"{short / of_floor[0]:.2f}x", f"{long / of_floor[1]:.2f}x",
            f"{apart:.1f}", f"{short:.1f}",
            f"{short - of_floor[0]:+.1f}", f"{long:.0f}", f"{(long - short) / (long_frames - 50) * 1000:.0f}",
            f"{per_second:.0f}"])
    # What an invoke stream carries is in base64.
    table("CPU of the worker: a stream of 54 frames (9 KB), frame by frame and all at once, and one of 2,004 (370 KB)",
          ["", "frames", "short", "long", "us/frames", "us/short", "over floor", "us/long", "ns/frame", "short/s"], lines)


def first_byte():
    """The time to the first byte while a thousand streams are open."""
    model = "sim.long.frames-10.pace-100"
    with Gateway() as gateway:
        def measure(row):
            report = gateway.ask(row, model, connections=1000, requests=2000)
            if report is None:
                sys.exit(f"{row.name}: requests failed")
            return report["first_byte_p50_us"] / 1000, report["first_byte_p99_us"] / 1000
        figures = take_turns(gateway, measure)
    lines = []
    for row in ROWS:
        p50, p99 = figures[row.name]
        floor = figures[row.floor or row.name]
        lines.append([row.name, f"{p50:.2f}", f"{p50 - floor[0]:+.2f}", f"{p99:.2f}", f"{p99 - floor[1]:+.2f}"])
    table("Time to the first byte at 1,000 streams, ms (all begin at once)",
          ["", "p50", "over floor", "p99", "over floor"], lines)


def memory():
    """Resident memory of a stream that is open."""
    lines = []
    floors = {}
    # The stand-in and the load have one file for each stream, nginx two.
    most = min(10000, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // 2)
    for row in ROWS:
        cells = [row.name]
        for streams in (1000, most):
            with Gateway() as gateway:
                for warm in ROWS:
                    gateway.ask(warm, STREAM, connections=8, requests=200)
                before = gateway.memory()
                with gateway.open_streams(row, "sim.long.frames-100.pace-600000", streams):
                    each = (gateway.memory() - before) / streams
            floor = floors.setdefault((row.floor or row.name, streams), each)
            cells += [f"{each:.1f}", f"{each - floor:+.1f}"]
        lines.append(cells)
    table("Resident memory of the worker for each open stream, KiB",
          ["", "at 1,000", "over floor", f"at {most:,}", "over floor"], lines)


def stall():
    """How long others wait while bodies of 5 MB come in."""
    lines = []
    with Gateway() as gateway:
        body = gateway.work / "large.json"
        for row in ROWS:
            path, small = row.request("sim.text")
            large = json.loads(small)
            large["messages"] = json.loads(json.dumps(large["messages"]).replace("How are you?", "x" * 5_000_000))
            body.write_text(json.dumps(large))
            begin = [LOAD, "--connect", f"127.0.0.1:{gateway.port}", "--path", path]
            alone = gateway.ask(row, "sim.text", connections=1, requests=300)
            busy = subprocess.Popen([*begin, "--body-file", str(body), "--connections", "1", "--requests", "60"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            beside = gateway.ask(row, "sim.text", connections=1, requests=300)
            done = busy.poll() is not None
            _, error = busy.communicate()
            if busy.returncode:
                sys.exit(f"{row.name}: large bodies failed: {error.decode().strip()}")
            note = " (large bodies ended first)" if done else ""
            lines.append([row.name + note] + [
                f"{report[name] / 1000:.2f}" for report in (alone, beside)
                for name in ("first_byte_p50_us", "first_byte_p99_us", "first_byte_worst_us")])
    table("Time to the first byte of small requests, ms: alone, and while bodies of 5 MB come in on another connection",
          ["", "p50", "p99", "worst", "p50 beside", "p99 beside", "worst beside"], lines)


def growth():
    """Whether cost grows with what it should grow with, and nothing else."""
    with Gateway() as gateway:
        lines = []
        for row in ROWS:
            gateway.ask(row, STREAM, connections=8, requests=200)
            cells = [row.name]
            for frames, requests in ((200, 400), (2000, 40), (20000, 4), (200000, 1)):
                used, _ = gateway.measured(row, f"sim.long.frames-{frames}.glue", requests=requests)
                cells.append(f"{used / frames * 1000:.0f}")
            lines.append(cells)
        table("CPU by length: ns a frame, for streams of so many frames", ["", "200", "2,000", "20,000", "200,000"], lines)
        lines = []
        for row in ROWS:
            cells = [row.name]
            for connections in (1, 10, 100, 1000):
                used, _ = gateway.measured(row, STREAM, connections=connections, requests=3000)
                cells.append(f"{used:.1f}")
            lines.append(cells)
        table("CPU by concurrency: us a short stream, on so many connections", ["", "1", "10", "100", "1,000"], lines)
    lines = []
    for row in ROWS:
        with Gateway() as gateway:
            for _ in range(3):
                gateway.ask(row, "sim.long.frames-2000.glue", connections=4, requests=20)
            before = gateway.memory()
            frames = 6_000_000
            path, body = row.request(f"sim.long.frames-{frames}.glue")
            load = subprocess.Popen([LOAD, "--connect", f"127.0.0.1:{gateway.port}", "--path", path, "--body", body],
                                    stdout=subprocess.PIPE, text=True)
            most = before
            while load.poll() is None:
                most = max(most, gateway.memory())
                time.sleep(0.1)
            report = json.loads(load.communicate()[0])
            lines.append([row.name, f"{report['bytes'] / 1e9:.2f}", f"{most - before:+d}"])
    table("Memory by length: how much the worker grew during one stream of 1 GB from Bedrock, KiB",
          ["", "GB to the client", "grew"], lines)


def main():
    chosen = sys.argv[1:] or ["cpu", "first-byte", "memory", "stall", "growth"]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65535, most), most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parts = {"cpu": cpu, "first-byte": first_byte, "memory": memory, "stall": stall, "growth": growth}
    for name in chosen:
        if name not in parts:
            sys.exit(f"there is no part {name}: {', '.join(parts)}")
        parts[name]()


if __name__ == "__main__":
    main()
