#!/usr/bin/env python3
"""What the module costs in nginx, beside plain proxy_pass of the same bytes in the same run.

    benches/run.py [cpu] [first-byte] [memory] [paced] [bodies] [stall] [hostile] [growth] [limits]    (all of them, if none is named)

Run it through `make bench`, which builds what it needs and says where that is:
NGINX_BINARY, BEDROCK_MODULE, BEDROCK_SIM, BEDROCK_LOAD and LOOP_TURNS_LIBRARY. Needs nothing but Python.

CPU is the worker's own time (user and system) as the kernel counts it, on a processor that the load and the stand-in do not
use, so it does not depend on how busy the machine is as much as a clock does; still, only the ratios within one run mean
anything. All rows take turns for several rounds. Of CPU the least disturbed round counts, of times and memory the median.
"""

import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time

from gateway import CONVERSE, LIMITED_ROWS, LOAD, ROWS, STREAM, Gateway

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))


def table(title, head, lines):
    print(f"\n{title}\n")
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    for line in [head, ["-" * width for width in widths], *lines]:
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        print("  " + "  ".join(cells).rstrip())
    sys.stdout.flush()


def take_turns(measure, of=statistics.median, rows=ROWS):
    """Each row's figures, of all rounds the median or what else is asked for; `measure` gives a tuple of numbers."""
    found = {row.name: [] for row in rows}
    for row in rows:
        measure(row)
    for _ in range(ROUNDS):
        for row in rows:
            found[row.name].append(measure(row))
    return {name: [of(column) for column in zip(*rounds)] for name, rounds in found.items()}


def beside_floor(figures, column, form):
    """A figure of each row, and how much it is above the floor's."""
    cells = {}
    for row in ROWS:
        value, floor = figures[row.name][column], figures[row.floor or row.name][column]
        cells[row.name] = [format(value, form), format(value - floor, "+" + form)]
    return cells


def columns(*parts):
    """The cells of each row, side by side."""
    return {row.name: [cell for part in parts for cell in part[row.name]] for row in ROWS}


def cpu():
    """CPU of a stream frame by frame and all at once, of a short one and a long one; and requests a second. A stream of five
    frames is little more than its request."""
    long_frames = 2000
    with Gateway() as gateway:
        def measure(row):
            short_apart, _ = gateway.measured(row, "sim.long.frames-50", connections=8, requests=1000)
            long_apart, _ = gateway.measured(row, f"sim.long.frames-{long_frames}", connections=4, requests=20)
            least, _ = gateway.measured(row, "sim.long.frames-1.glue", connections=8, requests=2000)
            short, report = gateway.measured(row, STREAM, connections=8, requests=2000)
            long, _ = gateway.measured(row, f"sim.long.frames-{long_frames}.glue", connections=4, requests=40)
            per_frame = (long - short) / (long_frames - 50) * 1000
            return short_apart, long_apart, short, long, least, per_frame, 1 / report["per_second"]
        figures = take_turns(measure, of=min)
    ratios = {}
    for row in ROWS:
        mine, floor = figures[row.name], figures[row.floor or row.name]
        ratios[row.name] = [f"{mine[column] / floor[column]:.2f}x" for column in range(4)]
    rest = {name: [f"{found[5]:.0f}", f"{1 / found[6]:.0f}"] for name, found in figures.items()}
    head = ["54 frames", "2,004", "54 at once", "2,004", "us/5 at once", "+", "us/54 at once", "+", "ns/frame", "54 at once/s"]
    return head, columns(ratios, beside_floor(figures, 4, ".1f"), beside_floor(figures, 2, ".1f"), rest)


def first_byte():
    """The time to the first byte while a thousand streams are open, each with a frame a second."""
    with Gateway() as gateway:
        def measure(row):
            with gateway.open_streams(row, "sim.long.frames-100000.pace-1000", 1000):
                report = gateway.ask(row, "sim.text", connections=2, requests=1000)
            if report is None:
                sys.exit(f"{row.name}: requests failed")
            return report["first_byte_p50_us"] / 1000, report["first_byte_p99_us"] / 1000
        figures = take_turns(measure)
    head = ["ms p50", "+", "p99", "+"]
    return head, columns(beside_floor(figures, 0, ".2f"), beside_floor(figures, 1, ".2f"))


def memory():
    """Resident memory of a stream that is open."""
    # The stand-in and the load have one file for each stream, nginx two.
    most = min(10000, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // 2)
    figures = {row.name: [] for row in ROWS}
    for row in ROWS:
        for streams in (1000, most):
            with Gateway() as gateway:
                for warm in ROWS:
                    gateway.ask(warm, STREAM, connections=8, requests=200)
                before = gateway.memory()
                with gateway.open_streams(row, "sim.long.frames-100.pace-600000", streams):
                    figures[row.name].append((gateway.memory() - before) / streams)
    head = ["KiB/1,000", "+", f"KiB/{most:,}", "+"]
    return head, columns(beside_floor(figures, 0, ".1f"), beside_floor(figures, 1, ".1f"))


def paced():
    """CPU of streams at a model's pace: each frame comes alone, twenty a second, in 500 streams at the same time. The request is
    in it, spread over its 204 frames."""
    streams, frames = 500, 200
    rows = [row for row in ROWS if CONVERSE in (row.name, row.floor)]
    with Gateway() as gateway:
        def measure(row):
            used, _ = gateway.measured(row, f"sim.long.frames-{frames}.pace-50", connections=streams, requests=streams)
            return used / (frames + 4), used / (frames * 0.05) / 1e6
        figures = take_turns(measure, of=min, rows=rows)
    floor = figures[CONVERSE][0]
    lines = [[row.name, f"{cost:.1f}", f"{cost - floor:+.1f}", f"{share:.5f}", f"{1 / share:,.0f}"] for row in rows for cost, share in [figures[row.name]]]
    table("CPU of a frame that comes alone, and of a stream of twenty frames a second", ["", "us/frame", "+", "of a core", "streams/core"], lines)


def one_table(parts):
    """What all rows have in common, side by side."""
    found = [part() for part in parts]
    head = [name for names, _ in found for name in names]
    cells = columns(*(part for _, part in found))
    table("The worker for each stream, beside plain proxy_pass of the same bytes (+: over it; see benches/run.py)",
          ["", *head], [[row.name, *cells[row.name]] for row in ROWS])


def with_large_question(row, size):
    """A row's request, its question so many bytes long."""
    path, small = row.request("sim.text")
    return path, small.replace("How are you?", "x" * size)


def bodies():
    """CPU of the request's side: a body read, planned, signed and sent, its threads included; the answer is a short one."""
    sizes = {"1 KB": 1000, "100 KB": 100_000, "5 MB": 5_000_000}
    with Gateway() as gateway:
        def measure(row):
            figures = []
            for name, size in sizes.items():
                path, body = with_large_question(row, size)
                file = gateway.work / "question.json"
                file.write_text(body)
                before = gateway.cpu()
                requests = 20 if size > 1_000_000 else 300
                subprocess.run([*gateway.beside, LOAD, "--connect", f"127.0.0.1:{gateway.port}", "--path", path, "--body-file", str(file),
                                "--requests", str(requests)], check=True, capture_output=True)
                figures.append((gateway.cpu() - before) / 1000 / requests)
            return figures
        figures = take_turns(measure, of=min)
    cells = columns(*(beside_floor(figures, column, ".0f") for column in range(len(sizes))))
    head = [word for name in sizes for word in (name, "+")]
    table("CPU of a request with a body of that size, us", ["", *head], [[row.name, *cells[row.name]] for row in ROWS])


def stall():
    """The longest turns of the event loop, in which it serves nobody else, and what that means to others on the worker.

    A turn's length is the processor's time for it, so that what else wants the processor does not count. What another
    connection sees is a clock's time: the load and the stand-in are told to stand back, and it still is a figure of the
    machine as well."""
    kinds = {
        "small": (lambda row: row.request("sim.text"), 300),
        "5 MB in": (lambda row: with_large_question(row, 5_000_000), 40),
        "512 KiB whole": (lambda row: row.whole("sim.big.kib-512"), 40),
        "16 MiB whole": (lambda row: row.whole("sim.big.kib-16384"), 4),
    }
    with Gateway(times_turns=True, apart=False) as gateway:
        def measure(row):
            longest, waits = [], []
            for request, count in kinds.values():
                path, body = request(row)
                with gateway.turns() as turns:
                    waits.append(gateway.wait_beside(path, body, count))
                longest.append(max(turns))
            return *longest, *(wait for pair in waits for wait in pair)
        figures = take_turns(measure)
    cells = columns(*(beside_floor(figures, column, ".2f") for column in range(len(kinds))))
    head = [word for name in kinds for word in (name, "+")]
    table("The longest turn of the event loop, ms", ["", *head], [[row.name, *cells[row.name]] for row in ROWS])
    first = len(kinds)
    lines = [[row.name, *(f"{value:.2f}" for value in figures[row.name][first:])] for row in ROWS]
    head = [f"{name} {which}" for name in kinds for which in ("p99", "worst")]
    table("How long a second connection waits meanwhile for what nginx answers by itself, ms", ["", *head], lines)


def hostile():
    """What JSON that means harm costs: CPU, and the longest turn of the event loop. Whether it is refused is not asked here."""
    members = ",".join(f'"k{number}":1' for number in range(1_000_000))
    attacks = {
        "harmless": '"x":1',
        "deep": '"x":' + '{"a":' * 10_000 + "1" + "}" * 10_000,
        "a million members": members,
        "and further inside": f'"metadata":{{{members}}}',
        "digits": '"temperature":' + "9" * 100_000,
    }
    asked = [row for row in ROWS if not row.floor or row.name in ("native", "OpenAI SSE", "Responses SSE", "Anthropic SSE")]
    lines = []
    with Gateway(times_turns=True) as gateway:
        for row in asked:
            path, body = row.request("sim.text")
            costs = []
            for attack in attacks.values():
                rounds = []
                for _ in range(ROUNDS):
                    before = gateway.cpu()
                    with gateway.turns() as turns:
                        gateway.post(path, body[:-1] + "," + attack + "}")
                    rounds.append(((gateway.cpu() - before) / 1e6, max(turns)))
                costs += [f"{min(column):.2f}" for column in zip(*rounds)]
            lines.append([row.name, *costs])
    head = [word for name in attacks for word in (name, "turn")]
    table("A request with that in its body, ms of CPU, and its longest turn of the event loop", ["", *head], lines)


def limits():
    """CPU of a request of which a limit is asked, beside the same request without one. The third row's zone is full at once, so
    that each request also takes a key's place from another."""
    with Gateway(limits=True) as gateway:
        figures = take_turns(lambda row: gateway.measured(row, "sim.text", connections=8, requests=5000)[:1], of=min, rows=LIMITED_ROWS)
    none = figures[LIMITED_ROWS[0].name][0]
    lines = [[row.name, f"{figures[row.name][0]:.1f}", f"{figures[row.name][0] - none:+.2f}"] for row in LIMITED_ROWS]
    table("CPU of a request with limits (no limit is reached), us", ["", "us", "+"], lines)


def growth():
    """Whether cost grows with what it should grow with, and nothing else; ends with status 1 if it does."""
    grows = []
    with Gateway() as gateway:
        for what, script in ("text", "sim.long"), ("a tool call", "sim.long-call"):
            lines = []
            for row in ROWS:
                gateway.ask(row, STREAM, connections=8, requests=200)
                found = []
                for frames, requests in ((200, 400), (2000, 40), (20000, 4), (200000, 1)):
                    used, _ = gateway.measured(row, f"{script}.frames-{frames}.glue", requests=requests)
                    found.append(used / frames * 1000)
                # What costs the square of its length costs ten times as much a frame in the last column as in the one before.
                if found[-1] > 3 * found[-2]:
                    grows.append(f"{row.name}: CPU of a frame of {what}, with the stream's length")
                lines.append([row.name] + [f"{cost:.0f}" for cost in found])
            table(f"CPU by length: ns a frame, for streams of so many frames of {what}", ["", "200", "2,000", "20,000", "200,000"], lines)
        lines = []
        for row in ROWS:
            found = []
            for connections in (1, 10, 100, 1000):
                used, _ = gateway.measured(row, STREAM, connections=connections, requests=3000)
                found.append(used)
            if found[-1] > 3 * found[-2]:
                grows.append(f"{row.name}: CPU of a stream, with the number of connections")
            lines.append([row.name] + [f"{cost:.1f}" for cost in found])
        table("CPU by concurrency: us a short stream, on so many connections", ["", "1", "10", "100", "1,000"], lines)
    lines = []
    for row in [row for row in ROWS if not row.repeats]:
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
            if most - before > 1024:
                grows.append(f"{row.name}: memory, with the stream's length")
            lines.append([row.name, f"{report['bytes'] / 1e9:.2f}", f"{most - before:+d}"])
    table("Memory by length: how much the worker grew during one stream of 1 GB from Bedrock, KiB",
          ["", "GB to the client", "grew"], lines)
    print("\n" + "\n".join(f"GROWS: {what}" for what in grows) if grows else "\nnothing grows that should not")
    if grows:
        sys.exit(1)


def main():
    shared = {"cpu": cpu, "first-byte": first_byte, "memory": memory}
    apart = {"paced": paced, "bodies": bodies, "stall": stall, "hostile": hostile, "growth": growth, "limits": limits}
    chosen = sys.argv[1:] or [*shared, *apart]
    for name in chosen:
        if name not in shared | apart:
            sys.exit(f"there is no part {name}: {', '.join(shared | apart)}")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65535, most), most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    in_table = [part for name, part in shared.items() if name in chosen]
    if in_table:
        one_table(in_table)
    for name, part in apart.items():
        if name in chosen:
            part()


if __name__ == "__main__":
    main()
