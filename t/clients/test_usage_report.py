"""nginx-bedrock-usage, with the logs of a live nginx and with made-up ones: sums by any field and period, rotated and gzipped
logs, and what is not known or cannot be read is said."""

import csv
import gzip
import io
import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest

from conftest import ROOT, defaults, eventually

TOOL = ROOT / "tools/nginx-bedrock-usage"


def usage(*arguments, stdin=None, status=0):
    done = subprocess.run([TOOL, *map(str, arguments)], input=stdin, capture_output=True, timeout=60)
    assert done.returncode == status, done.stderr.decode()
    return done.stdout.decode() if status == 0 else (done.stdout.decode(), done.stderr.decode())


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def line(time="2026-11-28T10:00:00+00:00", team="search", model="a.model", status="200", operation="converse", **fields):
    return json.dumps({"time": time, "team": team, "model": model, "status": status, "operation": operation, **fields})


def log(path, *lines):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt") as file:
        file.writelines(f"{one}\n" for one in lines)
    return path


def used(read, wrote, **fields):
    return line(input_tokens=str(read), output_tokens=str(wrote), **fields)


def test_the_log_of_a_live_nginx(nginx, sim, tmp_path):
    server = """
        location / {
            bedrock on;
            bedrock_allow_models amazon.* any.*;
            access_log llm.json.log bedrock_json;
            proxy_pass http://bedrock;
        }
    """
    http = f"map $http_x_team $team {{ default $http_x_team; }}\ninclude {ROOT}/nginx-conf/bedrock_json;\n"
    gateway = nginx(server, defaults(sim.port) + http)

    def ask(model, operation, body, team):
        url = f"{gateway.url}/model/{model}/{operation}"
        headers = {"Content-Type": "application/json", "X-Team": team}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            error.read()

    body = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    for operation in "converse", "converse-stream", "converse":
        ask("amazon.nova-lite-v1:0", operation, body, 'se"arch')
    ask("anthropic.claude-x", "converse", body, "docs")
    ask("any.model", "count-tokens", {"input": {"converse": body}}, "docs")
    path = gateway.directory / "llm.json.log"
    assert eventually(lambda: path.exists() and path.read_text().count("\n") == 5)
    entries = [json.loads(one) for one in path.read_text().splitlines()]
    assert entries[0]["model"] == "amazon.nova-lite-v1:0" and entries[0]["output_tokens"] == "12"
    assert entries[3]["status"] == "403" and entries[3]["model"] == "" and entries[3]["output_tokens"] == ""
    assert entries[4]["operation"] == "count_tokens" and int(entries[4]["input_tokens"]) > 0
    found = {row["team"]: row for row in rows(usage("--csv", "--by", "team", path))}
    assert found['se"arch'] == {
        "team": 'se"arch', "requests": "3", "errors": "0", "unknown": "0",
        "input_tokens": "75", "output_tokens": "36", "cache_read_tokens": "", "cache_write_tokens": "",
    }
    # A refused request used nothing, and counting tokens uses none.
    assert found["docs"]["requests"] == "2" and found["docs"]["errors"] == "1" and found["docs"]["input_tokens"] == ""


def test_a_table_with_a_total(tmp_path):
    path = log(tmp_path / "l", used(1000, 5), used(2000, 7, team="docs"), used(500, 1, model="b.model"), line(status="403"))
    assert usage(path).splitlines() == [
        "team    model    requests  errors  unknown  input_tokens  output_tokens  cache_read_tokens  cache_write_tokens",
        "------  -------  --------  ------  -------  ------------  -------------  -----------------  ------------------",
        "docs    a.model         1       0        0         2,000              7                  -                   -",
        "search  a.model         2       1        0         1,000              5                  -                   -",
        "search  b.model         1       0        0           500              1                  -                   -",
        "------  -------  --------  ------  -------  ------------  -------------  -----------------  ------------------",
        "total                   4       1        0         3,500             13                  -                   -",
    ]


def test_no_requests(tmp_path):
    assert rows(usage("--csv", log(tmp_path / "l"))) == []
    assert "total" in usage(log(tmp_path / "l"))


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("hour", ["2026-10-31 23:00", "2026-11-01 00:00", "2026-11-30 23:00"]),
        ("day", ["2026-10-31", "2026-11-01", "2026-11-30"]),
        ("week", ["2026-W44", "2026-W49"]),
        ("month", ["2026-10", "2026-11"]),
        ("year", ["2026"]),
    ],
)
def test_periods(tmp_path, by, expected):
    times = ["2026-10-31T23:59:59+01:00", "2026-11-01T00:00:00+01:00", "2026-11-30T23:59:59+01:00"]
    path = log(tmp_path / "l", *(used(1, 1, time=time) for time in times))
    assert [row[by] for row in rows(usage("--csv", "--by", by, path))] == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--month", "2026-11"], "2"),
        (["--from", "2026-11-01"], "3"),
        (["--to", "2026-11-01"], "1"),
        (["--from", "2026-11-01", "--to", "2026-12-01"], "2"),
        (["--from", "2026-11-01T00:00", "--to", "2026-11-01T00:00:01"], "1"),
        (["--utc", "--month", "2026-11"], "2"),
        (["--utc", "--from", "2026-10-31", "--to", "2026-11-01"], "2"),
        (["--from", "2026-10-31T23:00:00+00:00", "--to", "2026-12-01T00:00:00+01:00"], "2"),
        (["--month", "2026-02"], None),
    ],
)
def test_from_and_to(tmp_path, options, expected):
    times = ["2026-10-31T23:59:59+01:00", "2026-11-01T00:00:00+01:00", "2026-11-30T23:59:59+01:00", "2026-12-01T00:30:00+01:00"]
    path = log(tmp_path / "l", *(used(1, 1, time=time) for time in times))
    found = rows(usage("--csv", "--by", "team", *options, path))
    assert [row["requests"] for row in found] == ([expected] if expected else [])


def test_any_fields_conditions_and_order(tmp_path):
    path = log(
        tmp_path / "l",
        used(1, 10, session_id="s1", request_time="0.125"),
        used(1, 30, session_id="s2", request_time="0.5"),
        used(1, 20, session_id="s3", team="docs", request_time="1"),
        used(1, 99, session_id="s4", team="other"),
    )
    options = ["--csv", "--by", "session_id", "--sum", "output_tokens,request_time", "--sort", "output_tokens"]
    found = rows(usage(*options, "--where", "team=search", "--where", "team=docs", path))
    assert [(row["session_id"], row["output_tokens"], row["request_time"]) for row in found] == [
        ("s2", "30", "0.5"), ("s3", "20", "1"), ("s1", "10", "0.125"),
    ]
    assert rows(usage(*options, "--where", "team=docs", "--where", "session_id=s1", path)) == []
    assert len(rows(usage(*options, "--where", "day=2026-11-28", path))) == 4


def test_decimals_are_exact(tmp_path):
    path = log(tmp_path / "l", *(line(cost="0.1") for _ in range(10)))
    assert rows(usage("--csv", "--sum", "cost", path))[0]["cost"] == "1.0"


def test_large_counts_are_exact(tmp_path):
    path = log(tmp_path / "l", used(2**63, 1), used(2**63, 1))
    assert rows(usage("--csv", path))[0]["input_tokens"] == str(2**64)


def test_what_is_not_known_is_not_zero(tmp_path):
    path = log(
        tmp_path / "l",
        line(input_tokens="", output_tokens=""),
        line(status="499", input_tokens="-", stream_status="aborted", operation="converse_stream"),
        line(status="504"),
        line(status="429"),
        line(status="403", model=""),
        line(operation="list_models", model=""),
        line(operation="count_tokens", input_tokens="500"),
        line(operation=""),
        line(operation="invoke", search_units="2", input_tokens="", output_tokens=""),
        used(0, 3),
    )
    (row,) = rows(usage("--csv", "--by", "team", path))
    assert (row["requests"], row["errors"], row["unknown"]) == ("10", "4", "3")
    assert (row["input_tokens"], row["output_tokens"], row["cache_read_tokens"]) == ("0", "3", "")


def test_rotated_and_gzipped(tmp_path):
    path = log(tmp_path / "llm.json.log", used(1, 1))
    log(tmp_path / "llm.json.log.1", used(10, 1))
    log(tmp_path / "llm.json.log.2.gz", used(100, 1))
    log(tmp_path / "llm.json.log-20261127.gz", used(1000, 1))
    # logrotate is at work on it: the same lines twice.
    log(tmp_path / "llm.json.log.1.gz", used(10, 1))
    log(tmp_path / "llm.json.log.bak", used(7, 1))
    log(tmp_path / "other.log.1", used(7, 1))
    os.link(tmp_path / "llm.json.log.1", tmp_path / "llm.json.log.9")
    assert rows(usage("--csv", path))[0]["input_tokens"] == "1"
    assert rows(usage("--csv", "--rotated", path))[0]["input_tokens"] == "1111"
    # Named twice, read once.
    assert rows(usage("--csv", "--rotated", path, path, tmp_path / "llm.json.log.1"))[0]["input_tokens"] == "1111"


def test_standard_input(tmp_path):
    text = f"{used(1, 1)}\n{used(2, 1)}\n".encode()
    assert rows(usage("--csv", "-", stdin=text))[0]["input_tokens"] == "3"
    assert rows(usage("--csv", "-", stdin=gzip.compress(text) + gzip.compress(text)))[0]["input_tokens"] == "6"


def test_lines_that_are_none(tmp_path):
    wrong = ["{", "[]", "1", '"text"', "{}", used(1, 1, time="yesterday"), used(1, 1, status="ok"), used("many", 1), used(-1, 1),
             used("NaN", 1), used("Infinity", 1), '{"a":' * 100000, line(input_tokens=True), line(input_tokens=[1])]
    path = log(tmp_path / "l", used(1, 1), "", *wrong, used(1, 1))
    out, err = usage("--csv", path, status=1)
    assert rows(out)[0]["input_tokens"] == "2" and rows(out)[0]["requests"] == "2"
    assert f"{path}: {len(wrong)} lines are not of the format bedrock_json and do not count, the first is line 3\n" in err


def test_a_line_that_nginx_is_writing(tmp_path):
    path = log(tmp_path / "l", used(1, 1))
    with open(path, "a") as file:
        file.write('{"time":"2026-')
    assert rows(usage("--csv", path))[0]["input_tokens"] == "1"


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "l"
    path.write_bytes(used(1, 1, team="XX").encode().replace(b"XX", b"\xff\xfe\x1b") + b"\n")
    out, _ = usage("--csv", path, status=1)
    assert out.count("\n") == 1
    path.write_bytes(used(1, 1, team="XX").encode().replace(b"XX", b"\xff\xfe") + b"\n")
    assert rows(usage("--csv", path))[0]["input_tokens"] == "1"


def test_a_damaged_gzip(tmp_path):
    path = log(tmp_path / "l.gz", *(used(1, 1, session_id=str(number)) for number in range(50000)))
    path.write_bytes(path.read_bytes()[:-2000])
    out, err = usage("--csv", path, status=1)
    assert 0 < int(rows(out)[0]["requests"]) < 50000
    assert "and what follows could not be read" in err


def test_a_file_that_is_not_there(tmp_path):
    path = log(tmp_path / "l", used(1, 1))
    out, err = usage("--csv", path, tmp_path / "none", status=1)
    assert rows(out)[0]["input_tokens"] == "1"
    assert "none: No such file or directory" in err
    assert "Is a directory" in usage(tmp_path, status=1)[1]


def test_names_that_clients_choose(tmp_path):
    path = log(tmp_path / "l", used(1, 1, team="=1+1"), used(1, 1, team="\x1b[31mred"), used(1, 1, team='a,"b"\nc'))
    assert "\x1b" not in usage(path) and "?[31mred" in usage(path)
    assert [row["team"] for row in rows(usage("--csv", path))] == ["\x1b[31mred", "'=1+1", 'a,"b"\nc']


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--by", "team model"], "must be names of fields with commas between them"),
        (["--by", ""], "must be names of fields"),
        (["--where", "team"], "must be FIELD=VALUE"),
        (["--from", "yesterday"], "must be a date or a time"),
        (["--month", "November"], "must be a month such as 2026-11"),
        (["--month", "2026-11", "--from", "2026-11-01"], "--month is a period of its own"),
        (["--from", "2026-11-02", "--to", "2026-11-01"], "--from must be before --to"),
        (["--sort", "team"], "is no column: it must be one of requests, errors, unknown, input_tokens"),
        (["--from", "2026-11-01T00:00+01:00", "--to", "2026-12-01"], "both with a time zone, or both without"),
    ],
)
def test_wrong_commands(tmp_path, options, text):
    assert text in usage(*options, log(tmp_path / "l"), status=2)[1]


def test_memory_does_not_grow_with_the_log(tmp_path):
    """200,000 lines, one group each for 10 teams."""
    path = tmp_path / "l"
    with open(path, "w") as file:
        for number in range(200_000):
            file.write(used(1, 1, team=f"team-{number % 10}", session_id=f"{number:050}") + "\n")
    code = f"""
import re, runpy, sys
sys.argv = ["nginx-bedrock-usage", "--csv", {str(path)!r}]
try:
    runpy.run_path({str(TOOL)!r}, run_name="__main__")
except SystemExit:
    print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1], file=sys.stderr)
"""
    done = subprocess.run(["/usr/bin/env", "python3", "-c", code], capture_output=True, timeout=120)
    assert len(rows(done.stdout.decode())) == 10
    assert int(done.stderr) < 25_000, "kB; the log has 40 MB"
