"""Clients, as they are: some leave, some read slowly."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field

from test_anthropic_streams import MESSAGES
from test_http2 import H2Client
from test_openai_streams import CHAT
from test_streaming import NATIVE, SSE

FORMS = {form.name: form for form in (NATIVE, SSE, CHAT, MESSAGES)}


@dataclass
class Answer:
    """What a client got."""

    status: int = None
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    # Whether it ended as whole ones do.
    whole: bool = False
    # The client left.
    left: bool = False
    # Called for each piece.
    began: asyncio.Event = field(default_factory=asyncio.Event)


async def ask(port, one, form="native", leave_after=None, how="RST", rate=None, request=None, answer=None, method="POST"):
    """One request. `leave_after`: bytes of the answer (its head included) after which the client leaves; `rate`: bytes for
    each read, with a pause between them."""
    answer = answer or Answer()
    path, body, headers = request or FORMS[form].request(one.model)
    body = body if isinstance(body, bytes) else body.encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    sock = socket.socket()
    sock.setblocking(False)
    if rate:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer = None
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=rate or 65536)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body)
        await writer.drain()
        await _read(reader, writer, answer, leave_after, how, rate)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        if writer:
            # Not close(), which waits until all is sent: nginx may want no more, and the next socket would get this one's number.
            writer.transport.abort()
        else:
            sock.close()
    return answer


def ask_together(path, requests, answers):
    """Requests over one connection of HTTP/2, all at once; returns when all have their answers."""
    client = H2Client(path)
    # So long may all be silent.
    client.socket.settimeout(60)
    try:
        asked = {client.ask(*request): answer for request, answer in zip(requests, answers)}
        while not all(client.ended.values()):
            client.step()
            for stream, answer in asked.items():
                answer.status, answer.body = client.status.get(stream), client.bytes[stream]
                answer.whole = client.ended[stream] == "end"
    finally:
        client.close()


async def _read(reader, writer, answer, leave_after, how, rate):
    raw = bytearray()
    while True:
        size = rate or 65536
        if leave_after is not None:
            size = min(size, leave_after - len(raw))
            if size <= 0:
                answer.left = True
                if how == "RST":
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    writer.transport.abort()
                return
        piece = await reader.read(size)
        raw += piece
        _parse(raw, answer)
        if answer.status:
            answer.began.set()
        if not piece:
            return
        if rate:
            await asyncio.sleep(0.05)


def _parse(raw, answer):
    """All that is there so far; cheap enough for what is tried here."""
    if answer.status is None:
        end = raw.find(b"\r\n\r\n")
        if end < 0:
            return
        lines = raw[:end].decode("latin-1").split("\r\n")
        answer.status = int(lines[0].split(" ")[1])
        answer.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        answer._at, answer._chunks = end + 4, bytearray()
    if "content-length" in answer.headers:
        answer.body = bytes(raw[answer._at :])
        answer.whole = len(answer.body) == int(answer.headers["content-length"])
        return
    while not answer.whole:
        line = raw.find(b"\r\n", answer._at)
        if line < 0:
            break
        size = int(raw[answer._at : line], 16)
        if len(raw) < line + 2 + size + 2:
            break
        answer._chunks += raw[line + 2 : line + 2 + size]
        answer._at = line + 2 + size + 2
        answer.whole = size == 0
    answer.body = answer._chunks
