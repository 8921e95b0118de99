"""Bedrock, as it is on its worst day: each stream breaks where its script says."""

import asyncio
import hashlib
import json
import random
import re
import socket
import struct
from collections import Counter
from dataclasses import dataclass, field

from test_streaming import EVENT_STREAM, START, STOP, delta, event

WORDS = ["on", "and", "Grüße", "東京", "😀", 'a "quote"', "\n\ndata: not an event\n\n", "\\"]


@dataclass
class Stream:
    """One stream, what happens to it, and all that is to be known of it afterwards."""

    number: int
    frames: list
    tokens: int
    # none, or at a byte: end (as if that were all), close, reset, stall, flip (a bit)
    fault: str = "none"
    at: int = 0
    # Seconds between two frames.
    pace: float = 0
    # Waits for this before the second frame.
    gate: asyncio.Event = None
    # What became of it.
    requests: int = 0
    sent: int = 0
    ended: str = None
    body_length: int = 0
    body_hash: str = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def model(self):
        return f"chaos.{self.number}"

    @property
    def data(self):
        return b"".join(self.frames)

    def text(self, intact):
        """The text in the first so many frames."""
        payloads = [json.loads(frame[12 + struct.unpack_from(">I", frame, 4)[0] : -4]) for frame in self.frames[:intact]]
        return "".join(payload.get("delta", {}).get("text", "") for payload in payloads)

    def sent_data(self):
        """The bytes as they leave here."""
        data = bytearray(self.data)
        if self.fault == "flip":
            data[self.at] ^= 1 << (self.number % 8)
        elif self.fault != "none":
            del data[self.at :]
        return bytes(data)

    def intact(self):
        """How many frames leave here whole and undamaged, before anything else."""
        if self.fault == "none":
            return len(self.frames)
        end = count = 0
        for frame in self.frames:
            end += len(frame)
            count += end <= self.at
        return count


def stream(number, rng, deltas=None, **script):
    """A stream with text and a count of its own."""
    tokens = 1000 + number
    texts = [" ".join(rng.choices(WORDS, k=rng.randrange(1, 200))) for _ in range(deltas or rng.randrange(1, 10))]
    usage = {"inputTokens": number, "outputTokens": tokens, "totalTokens": number + tokens}
    frames = [START, *map(delta, texts), STOP, event("metadata", usage=usage, metrics={"latencyMs": 1})]
    return Stream(number, frames, tokens, **script)


def broken(number, rng):
    """A stream with a fault at a random byte."""
    one = stream(number, rng)
    one.fault = rng.choice(["end", "close", "reset", "stall", "flip"])
    one.at = rng.randrange(len(one.data))
    return one


class Bedrock:
    """Answers a request for the model `chaos.N` with stream N."""

    def __init__(self):
        self.streams = {}
        # How many requests came to each address.
        self.reached = Counter()

    async def start(self, addresses=("127.0.0.1",)):
        self._servers, self.port = [], 0
        for address in addresses:
            server = await asyncio.start_server(self._serve, address, self.port, backlog=4096)
            self.port = server.sockets[0].getsockname()[1]
            self._servers.append(server)
        return self

    def close(self):
        for server in self._servers:
            server.close()

    def add(self, one):
        self.streams[one.number] = one
        return one

    async def _serve(self, reader, writer):
        one = None
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(re.search(r"^content-length: (\d+)", head, re.I | re.M)[1])
                digest = hashlib.sha256()
                left = length
                while left:
                    piece = await reader.read(min(left, 1 << 20))
                    if not piece:
                        return
                    digest.update(piece)
                    left -= len(piece)
                one = self.streams[int(re.match(r"POST /model/chaos\.(\d+)/", head)[1])]
                one.requests += 1
                self.reached[writer.get_extra_info("sockname")[0]] += 1
                one.body_length, one.body_hash = length, digest.hexdigest()
                one.arrived.set()
                if head.split(" ")[1].endswith("/converse"):
                    await self._whole(one, writer)
                elif not await self._streamed(one, reader, writer):
                    return
                one.ended = "complete"
                one = None
        except (ConnectionError, asyncio.IncompleteReadError):
            if one:
                one.ended = "gone"
        finally:
            writer.close()

    async def _whole(self, one, writer):
        usage = {"inputTokens": one.number, "outputTokens": one.tokens, "totalTokens": one.number + one.tokens}
        message = {"role": "assistant", "content": [{"text": one.text(len(one.frames))}]}
        body = json.dumps({"output": {"message": message}, "stopReason": "end_turn", "usage": usage})
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()

    async def _streamed(self, one, reader, writer):
        """Whether the connection can be used again."""
        writer.write((EVENT_STREAM + "Transfer-Encoding: chunked\r\n\r\n").encode())
        # A bound, so that drain() waits for whoever does not read.
        writer.transport.set_write_buffer_limits(65536)
        gone = asyncio.ensure_future(reader.read(1))
        gone.add_done_callback(lambda task: task.cancelled() or task.exception())
        data = memoryview(one.sent_data())
        while one.sent < len(data):
            if gone.done():
                raise ConnectionResetError
            # Frame by frame, as far as they go.
            size = len(one.frames[0]) if one.sent == 0 else 4096 if one.pace == 0 else 400
            piece = data[one.sent : one.sent + size]
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            one.sent += len(piece)
            if one.gate:
                await one.gate.wait()
            if one.pace:
                await asyncio.sleep(one.pace)
        if one.fault in ("none", "end", "flip"):
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            gone.cancel()
            try:
                await gone
            except asyncio.CancelledError:
                pass
            return True
        one.ended = one.fault
        if one.fault == "stall":
            await gone
        elif one.fault == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        gone.cancel()
        return False
