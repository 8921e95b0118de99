"""A network of its own, with a DNS server that says what it is told to, and servers at as many addresses as wanted. For root."""

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import ipaddress
import os
import socket
import struct
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

_libc = ctypes.CDLL(None, use_errno=True)
_NEWNS, _NEWNET = 0x00020000, 0x40000000
_BIND, _REC, _PRIVATE = 0x1000, 0x4000, 0x40000
_TYPES = {"A": 1, "AAAA": 28}


def _call(name, *arguments):
    if getattr(_libc, name)(*arguments):
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def _mount(source, target, flags):
    _call("mount", source and str(source).encode(), str(target).encode(), None, flags, None)


@contextlib.contextmanager
def private_network(directory):
    """This thread, and what it starts, are in a network with nothing in it but what is made here; gives its DNS server. There
    is nothing else that could answer, so no port is taken by anybody and no query leaves this machine."""
    if os.getuid():
        pytest.skip("needs root, for a network and a resolv.conf of its own")
    before = [(os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY), flag) for kind, flag in (("net", _NEWNET), ("mnt", _NEWNS))]
    here = os.getcwd()
    _call("unshare", _NEWNS | _NEWNET)
    try:
        _mount(None, "/", _REC | _PRIVATE)
        _add_addresses()
        resolv_conf, hosts = Path(directory) / "resolv.conf", Path(directory) / "hosts"
        resolv_conf.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        hosts.write_text("127.0.0.1 localhost\n")
        _mount(resolv_conf, "/etc/resolv.conf", _BIND)
        _mount(hosts, "/etc/hosts", _BIND)
        with Dns() as dns:
            dns.hosts = hosts
            yield dns
    finally:
        for namespace, flag in before:
            _back_to(namespace, flag)
            os.close(namespace)
        os.chdir(here)


def _back_to(namespace, flag):
    """Not possible while there is another thread that was begun here. One that was joined may take a moment to be gone."""
    end = time.monotonic() + 5
    while True:
        try:
            return _call("setns", namespace, flag)
        except OSError as error:
            if error.errno != errno.EINVAL or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _add_addresses():
    """The loopback interface, with addresses that are not loopback: without those the system asks for none of their kind."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as v4, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as v6:
        fcntl.ioctl(v4, 0x8914, struct.pack("16sh22x", b"lo", 0x49))  # SIOCSIFFLAGS: up, running
        address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton("10.9.0.1"))
        fcntl.ioctl(v4, 0x8916, struct.pack("16s16s8x", b"lo:1", address))  # SIOCSIFADDR
        index = socket.if_nametoindex("lo")
        fcntl.ioctl(v6, 0x8916, struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, "fd00:9::1"), 128, index))


class Dns:
    """Answers for each name with the addresses in `names`, over UDP and, where they are many, over TCP. In place of addresses:
    "nxdomain", "servfail", "silent" (no answer at all), "stuck" (truncated over UDP, and then silent over TCP)."""

    def __init__(self):
        self.names = {}
        self.asked = Counter()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 53))
        self._tcp = socket.create_server(("127.0.0.1", 53))
        self._open = []
        self._threads = [threading.Thread(target=run) for run in (self._serve_udp, self._serve_tcp)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for one in (self._udp, self._tcp, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _serve_udp(self):
        with contextlib.suppress(OSError):
            while True:
                query, client = self._udp.recvfrom(4096)
                if not query:
                    return
                answer = self._answer(query, 512)
                if answer:
                    self._udp.sendto(answer, client)

    def _serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                self._open.append(connection)
                thread = threading.Thread(target=self._serve_connection, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve_connection(self, connection):
        with contextlib.suppress(OSError), connection.makefile("rb") as lines:
            while length := lines.read(2):
                query = lines.read(int.from_bytes(length, "big"))
                answer = self._answer(query, 65535)
                if answer:
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)

    def _answer(self, query, most):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        question, name = query[12 : at + 5], ".".join(labels)
        kind = int.from_bytes(query[at + 1 : at + 3], "big")
        self.asked[name, next((text for text, number in _TYPES.items() if number == kind), kind)] += 1
        found = self.names.get(name, "nxdomain")
        code, truncated, records = 0, False, []
        if found == "silent" or (found == "stuck" and most > 512):
            return None
        if found in ("nxdomain", "servfail"):
            code = {"nxdomain": 3, "servfail": 2}[found]
        elif found == "stuck":
            truncated = True
        else:
            for address in map(ipaddress.ip_address, found):
                if kind == {4: 1, 6: 28}[address.version]:
                    records.append(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(address.packed)) + address.packed)
            truncated = 12 + len(question) + sum(map(len, records)) > most
        if truncated:
            records = []
        flags = 0x8180 | 0x0200 * truncated | code
        return query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question + b"".join(records)


class Servers:
    """HTTP servers at addresses, all at one port. Each answers with its address; below /slow in two halves, the second one when
    release() says so."""

    def __init__(self, addresses):
        self.requests, self.connections = Counter(), Counter()
        self.dead = set()
        self._loop = asyncio.new_event_loop()
        self._release = asyncio.Event()
        self._writers = set()
        self.port = 8001
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._run(self._start(addresses))

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self, addresses):
        self._servers = [await asyncio.start_server(self._serve, address, self.port) for address in addresses]

    def release(self):
        self._loop.call_soon_threadsafe(self._release.set)

    def close(self):
        async def end():
            self._release.set()
            for server in self._servers:
                server.close()
            for writer in self._writers:
                writer.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(others, timeout=5) if others else None

        self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader, writer):
        address = writer.get_extra_info("sockname")[0]
        self._writers.add(writer)
        self.connections[address] += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests[address] += 1
                if address in self.dead:
                    return
                body = address.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(body)) + body)
                if head.split(b" ")[1].startswith(b"/slow"):
                    await writer.drain()
                    await self._release.wait()
                writer.write(body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
