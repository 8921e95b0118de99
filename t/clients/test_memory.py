"""A worker's memory: bounded while a client reads slowly, and not growing from request to request."""

import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import LOCATION, defaults, eventually
from test_openai_streams import CHAT
from test_streaming import FORMS, METADATA, MESSAGES, NATIVE, SSE, START, STOP, event, linger, rest, upstream

__all__ = ["upstream"]

MIB = 1 << 20


def memory(gateway, what="VmRSS"):
    """Resident bytes of the only worker; VmHWM is the most there ever were."""
    (worker,) = gateway.workers()
    with open(f"/proc/{worker}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(what))


def numbered(number):
    return event("contentBlockDelta", contentBlockIndex=0, delta={"text": f"{number:08} " + "on and on " * 300})


@pytest.mark.parametrize("form", [NATIVE, SSE, CHAT], ids=lambda form: form.name)
def test_a_slow_reader_costs_no_memory_and_loses_nothing(nginx, upstream, form):
    """The upstream could send 60 MB at once; it is read only as fast as the client reads."""
    gateway = nginx(LOCATION, defaults(upstream.port))
    count = 20_000
    client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    client.connect()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    path, body, headers = form.request()
    client.request("POST", path, body, headers)
    exchange = upstream.take().start()
    exchange.socket.settimeout(20)
    sent = [0]

    def feed():
        exchange.chunk(START)
        for number in range(count):
            exchange.chunk(numbered(number))
            sent[0] = number + 1
        exchange.chunk(STOP + METADATA)
        exchange.end()

    feeder = threading.Thread(target=feed)
    feeder.start()
    answer = client.getresponse()
    before = memory(gateway)
    seen = [-1]

    def stuck():
        seen.append(sent[0])
        return len(seen) > 50 and len(set(seen[-50:])) == 1

    assert eventually(stuck, 30)
    assert sent[0] < count / 2, "all of it went somewhere"
    assert memory(gateway) - before < 4 * MIB
    got, whole = rest(answer)
    feeder.join()
    assert whole
    at = -1
    for number in range(count):
        at = got.find(b'"%08d ' % number, at + 1)
        assert at >= 0, f"delta {number} is missing or out of order"
    assert memory(gateway, "VmHWM") - before < 4 * MIB
    log = gateway.next_log()
    assert (log["stream_status"], log["output_tokens"]) == ("complete", "9")


@FORMS
def test_a_very_long_stream_costs_no_memory(nginx, sim, form):
    gateway = nginx(LOCATION, defaults(sim.port))
    assert rest(form.ask(gateway, "sim.long.frames-10").getresponse())[1]
    before = memory(gateway)
    answer = form.ask(gateway, "sim.long.frames-300000.glue").getresponse()
    size = deltas = 0
    tail = b""
    while piece := answer.read1(1 << 20):
        size += len(piece)
        both = tail + piece
        deltas += both.count(b"contentBlockDelta") - tail.count(b"contentBlockDelta")
        tail = both[-16:]
    assert deltas == 300_000 and size > 20 * MIB
    assert memory(gateway, "VmHWM") - before < 4 * MIB
    gateway.next_log()
    assert gateway.next_log()["output_tokens"] == "300000"


def plain(connection, model):
    body = json.dumps({"messages": MESSAGES})
    connection.request("POST", f"/model/{model}/converse", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def stream(connection, form, model):
    path, body, headers = form.request(model)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    whole = rest(answer)[1]
    if not whole:
        connection.close()
    return answer.status, whole


def leave(gateway, form, model):
    connection = form.ask(gateway, model)
    if model.startswith("sim.stall"):
        connection.getresponse().read1(1)
    linger(connection.sock)
    connection.close()


def test_ten_thousand_requests(nginx, sim):
    """Whole answers, streams, errors of every kind, fallbacks, clients that leave: what one took is given back."""
    server = """
    location / { bedrock on; proxy_pass http://bedrock; }
    location /over/ { bedrock on; proxy_pass http://bedrock; proxy_intercept_errors on; error_page 429 = @other; }
    location @other { bedrock on; bedrock_region eu-west-1; bedrock_model good; proxy_pass http://bedrock; }
    """
    gateway = nginx(server, defaults(sim.port))
    workers = gateway.workers()

    def round_of_20(_):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        for _ in range(3):
            assert plain(connection, "a.model") == 200
            assert stream(connection, NATIVE, "a.model") == (200, True)
            assert stream(connection, SSE, "a.model") == (200, True)
        assert plain(connection, "sim.throttled") == 429
        assert plain(connection, "sim.http-500-internalserver") == 500
        assert stream(connection, NATIVE, "sim.exception") == (429, True)
        assert stream(connection, NATIVE, "sim.exception.at-3") == (200, True)
        assert stream(connection, NATIVE, "sim.corrupt") == (200, False)
        assert stream(connection, SSE, "sim.reset") == (200, False)
        for operation in "converse", "converse-stream":
            connection.request("POST", f"/over/model/sim.exception/{operation}", json.dumps({"messages": MESSAGES}))
            answer = connection.getresponse()
            assert answer.status == 200 and rest(answer)[1]
        connection.request("GET", "/model/a.model/converse")
        answer = connection.getresponse()
        assert answer.status == 405 and answer.read()
        leave(gateway, NATIVE, "sim.stall.at-1")
        leave(gateway, SSE, "a.model")
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(round_of_20, range(100)))
        warm = memory(gateway)
        list(pool.map(round_of_20, range(400)))
    assert memory(gateway) - warm < 1 * MIB
    assert gateway.workers() == workers
    assert "[alert]" not in gateway.errors() and "panic" not in gateway.errors()
