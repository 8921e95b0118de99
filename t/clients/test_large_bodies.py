"""What a large body costs a worker: three times its size at most, whatever is in it, and nothing when it is done. Together they
take turns."""

import hashlib
import http.client
import json
import re
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import LOCATION, defaults, eventually

MIB = 1 << 20
SIZE = 28 * MIB
ANSWER = json.dumps(
    {
        "output": {"message": {"role": "assistant", "content": [{"text": "x"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "inputTokens": 1,
    }
).encode()


class Taker:
    """Takes bodies of any size, and says how many bytes each had, and whether they hash to what was signed."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.taken = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as reader:
            while head := b"".join(iter(reader.readline, b"\r\n")) if reader.peek(1) else b"":
                left = int(re.search(rb"^content-length: (\d+)", head, re.I | re.M)[1])
                signed = re.search(rb"^x-amz-content-sha256: (\w+)", head, re.I | re.M)
                digest, length, first = hashlib.sha256(), left, b""
                while left:
                    piece = reader.read(min(left, MIB))
                    if not piece:
                        return
                    digest.update(piece)
                    first = first or piece[:100]
                    left -= len(piece)
                good = signed is None or signed[1].decode() == digest.hexdigest()
                self.taken.append((length, good, first))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))

    def close(self):
        self.listener.close()


@pytest.fixture
def taker():
    one = Taker()
    yield one
    one.close()


def many(before, items, after, size=SIZE):
    """As many of the items as make a body of the size."""
    items = [item.encode() for item in items]
    before, after = before.encode(), after.encode()
    one = b",".join(items)
    count = (size - len(before) - len(after)) // (len(one) + 1)
    return before + b",".join([one] * count) + after


CHAT, MESSAGES, COUNT, EMBEDDINGS = "/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/embeddings"
TURNS = ['{"role":"user","content":"a"}', '{"role":"assistant","content":"b"}']
TOOLS = ',"tools":[{"type":"function","function":{"name":"f"}}]}'
ANTHROPIC_TOOLS = ',"tools":[{"name":"f","input_schema":{}}]}'
USER = '{"role":"user","content":['
HALF = SIZE // 2 - 100
DEEP = "[" * HALF + "]" * HALF


def shapes():
    """Paths, bodies, and the status that each must come to."""
    m = '{"model":"m.x","max_tokens":9,"messages":['
    claude = '{"model":"anthropic.claude-3-haiku-20240307-v1:0","max_tokens":9,"messages":['
    yield "turns", CHAT, many(m, TURNS, "]}"), 200
    yield "parts", CHAT, many(m + USER, ['{"type":"text","text":"a"}'], "]}]}"), 200
    yield "escapes", CHAT, many(m, ['{"role":"user","content":"\\n\\"\\u00e9"}'], "]}"), 200
    yield "calls", CHAT, many(m + '{"role":"assistant","tool_calls":[', ['{"id":"a","function":{"name":"f"}}'], "]}]" + TOOLS), 200
    yield "results", CHAT, many(m, ['{"role":"tool","tool_call_id":"a","content":"b"}'], "]" + TOOLS), 200
    yield "images", CHAT, many(m + USER, ['{"type":"image_url","image_url":"data:image/png;base64,AAAA"}'], "]}]}"), 200
    yield "tools", CHAT, many(m + '],"tools":[', ['{"type":"function","function":{"name":"."}}'], "]}"), 200
    yield "stop", CHAT, many(m + '],"stop":[', ['"a"'], "]}"), 400
    yield "members", CHAT, many(m + "],", ['"a":1'], "}"), 400
    yield "deep", CHAT, (m + '],"x":' + DEEP + "}").encode(), 200
    yield "one-text", CHAT, (m + '{"role":"user","content":"' + "word " * (SIZE // 5) + '"}]}').encode(), 200
    yield "turns", MESSAGES, many(m, TURNS, "]}"), 200
    yield "instructions", MESSAGES, many(m + TURNS[0] + '],"system":[', ['{"type":"text","text":"a"}'], "]}"), 200
    yield "results", MESSAGES, many(m + USER, ['{"type":"tool_result","tool_use_id":"a","content":"b"}'], "]}]" + ANTHROPIC_TOOLS), 200
    yield "documents", MESSAGES, many(m + USER, ['{"type":"document","source":{"type":"text","data":"a"}}'], "]}]}"), 200
    yield "tools", MESSAGES, many(m + TURNS[0] + '],"tools":[', ['{"name":".","input_schema":{}}'], "]}"), 200
    yield "turns", COUNT, many(m, TURNS, "]}"), 200
    yield "turns-invoke", MESSAGES, many(claude, TURNS, "]}"), 200
    yield "parts-invoke", MESSAGES, many(claude + USER, ['{"type":"text","text":"a","cache_control":{"scope":"x"}}'], "]}]}"), 200
    yield "turns-invoke", COUNT, many(claude, TURNS, "]}"), 200
    yield "inputs", EMBEDDINGS, many('{"model":"cohere.embed-v4:0","input":[', ['"a"'], "]}"), 400
    yield "turns", "/", many(m, ['{"role":"user","content":[{"text":"a"}]}'], "]}"), 200
    yield "native", "/model/m.x/converse", many('{"messages":[', ['{"role":"user","content":[{"text":"a"}]}'], "]}"), 200
    yield "members", "/model/m.x/converse", many("{", ['"a":1'], "}"), 400




class Worker:
    """The memory of the only worker."""

    def __init__(self, gateway):
        (self.pid,) = gateway.workers()

    def memory(self, what="VmRSS"):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(what))

    def begin(self):
        """From now on, the most is counted anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        self.before = self.memory()
        self.own = self.memory("RssAnon")

    def most(self):
        return self.memory("VmHWM") - self.before

    def stays(self):
        """Pages of code, which are read from the module's file when they are first run, are not asked back."""
        return self.memory("RssAnon") - self.own


def ask(gateway, path, body, timeout=120):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=timeout)
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


# With a limit, Bedrock's own forms are changed, too.
LIMITED = "location / { bedrock on; bedrock_max_output_tokens 100; proxy_pass http://bedrock; }"


@pytest.mark.parametrize("server", [LOCATION, LIMITED], ids=["plain", "limited"])
def test_three_times_the_body(nginx, taker, server):
    gateway = nginx(server, defaults(taker.port))
    worker = Worker(gateway)
    ask(gateway, CHAT, json.dumps({"model": "m.x", "messages": []}).encode())
    wrong = []
    for name, path, body, status in shapes():
        worker.begin()
        found = ask(gateway, path, body)
        most = worker.most()
        stays = [0]

        def is_given_back():
            stays[0] = worker.stays()
            return stays[0] <= 4 * MIB

        given_back = eventually(is_given_back, 5)
        print(f"{path} {name}: {most / len(body):.2f} times, {stays[0] / MIB:.1f} MiB stay, {found}")
        if most > 3 * len(body) + 4 * MIB or not given_back or found != status:
            wrong.append(f"{path} {name}: {most / len(body):.2f} times, {stays[0] / MIB:.1f} MiB stay, {found}")
    assert not wrong
    assert all(good for _, good, _ in taker.taken)


def test_together_they_keep_to_the_bound(nginx, taker):
    gateway = nginx(LOCATION, defaults(taker.port) + "bedrock_large_bodies 32m;")
    worker = Worker(gateway)
    body = many('{"model":"m.x","messages":[', TURNS, "]}")
    worker.begin()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: ask(gateway, CHAT, body), range(4))) == [200] * 4
    assert worker.most() <= 3 * 32 * MIB + 4 * MIB
    assert eventually(lambda: worker.stays() <= 8 * MIB)
    assert len({length for length, _, _ in taker.taken}) == 1 and all(good for _, good, _ in taker.taken)


def test_those_who_wait_may_leave_and_the_others_get_their_turn(nginx, taker):
    gateway = nginx(LOCATION, defaults(taker.port) + "bedrock_large_bodies 1m;")
    body = many('{"model":"m.x","messages":[', TURNS, "]}", 6 * MIB)
    results = []
    asking = [threading.Thread(target=lambda: results.append(ask(gateway, CHAT, body))) for _ in range(6)]
    leaving = []
    for thread in asking:
        thread.start()
        one = socket.create_connection(("127.0.0.1", gateway.port))
        one.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (CHAT.encode(), len(body)) + body)
        leaving.append(one)
    for one in leaving:
        one.close()
    # A reload meanwhile: the old worker ends what it has.
    gateway.process.send_signal(signal.SIGHUP)
    for thread in asking:
        thread.join(60)
    assert results == [200] * 6
    # Each has its line, and the old worker is gone.
    assert eventually(lambda: len(gateway._lines()) == 12, 30)
    assert eventually(lambda: len(gateway.workers()) == 1)
    assert "[alert]" not in gateway.errors() and "panic" not in gateway.errors()
    assert ask(gateway, CHAT, body) == 200


def test_a_worker_that_is_told_to_quit_answers_those_who_wait(nginx, taker):
    gateway = nginx(LOCATION, defaults(taker.port) + "bedrock_large_bodies 1m;")
    body = many('{"model":"m.x","messages":[', TURNS, "]}", 6 * MIB)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, gateway, CHAT, body) for _ in range(6)]
        assert eventually(lambda: taker.taken, 20)
        gateway.process.send_signal(signal.SIGQUIT)
        assert [one.result() for one in asked] == [200] * 6
    gateway.process.wait(20)
