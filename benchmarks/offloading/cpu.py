"""Processor time of a frame outside inference and decoding, beside an echo of the same bytes."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from tallylens.cloud_fallback.server.auth import Auth
from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates
from tallylens.cloud_fallback.server.keys import KeyFile, entry, new_key
from tallylens.cloud_fallback.server.models import BatchDetector
from tallylens.cloud_fallback.server.run import Address, Server, run_loop
from tallylens.cloud_fallback.server.service import Service
from tallylens.cloud_fallback.wire.constants import PATH, SUBPROTOCOL
from tallylens.cloud_fallback.wire.frames import Codec, FrameHeader, encode_frame
from tallylens.cloud_fallback.wire.messages import Hello, encode
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.edge_runtime.types import Detections, Image

from .work import PLAN, Row, Work

# As many bytes as a 640x384 JPEG of quality 90 has; decoded at no cost.
SIDES = (160, 130)
# A camera's frames come one by one: in a flood an echo takes several at once.
IN_FLIGHT = 1
PING = 0x89
DETECTIONS = 5


class FreeDetector:
    """A model that costs nothing: the same detections for each image."""

    def __init__(self, max_batch: int) -> None:
        self.max_batch = max_batch
        boxes = np.random.default_rng(1).uniform(1, 48, (DETECTIONS, 4)).astype(np.float32)
        confidence = np.linspace(0.3, 0.9, DETECTIONS, dtype=np.float32)
        self._found = Detections(boxes, confidence, np.arange(DETECTIONS, dtype=np.int32))

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """The detections of each image."""
        return [self._found for _ in images]


class FreeModel:
    """Two instances of a model that costs nothing."""

    name, digest, engine = "free.onnx", "0" * 64, "none"

    def __init__(self, max_batch: int) -> None:
        self.metadata = ModelMetadata(tuple("abcdefgh"), SIDES[::-1], (8,), (), ())
        self.detectors: list[BatchDetector] = [FreeDetector(max_batch) for _ in range(2)]


class _Echo(asyncio.Protocol):
    """Sends back what it receives."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


def _context(files: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    if files is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    return context


async def _echo(tell: Connection, files: tuple[Path, Path] | None) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Echo, "127.0.0.1", 0, ssl=_context(files))
    tell.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _serve(
    tell: Connection, files: tuple[Path, Path] | None, keys: Path, max_batch: int
) -> None:
    model = FreeModel(max_batch)
    service = Service(model, Auth(KeyFile(keys)))
    server = Server(service, Address("127.0.0.1", 0, *(files or (None, None))), own_process=True)
    with server.bind() as bound:
        serving = asyncio.create_task(server.serve(bound))
        await server.listening.wait()
        tell.send(server.port)
        await serving


def _child(kind: str, tell: Connection, *arguments: Any) -> None:
    run_loop(_echo(tell, *arguments) if kind == "echo" else _serve(tell, *arguments))


@contextlib.contextmanager
def child(kind: str, *arguments: Any) -> Iterator[tuple[BaseProcess, int]]:
    """A server as a process of its own, and its port."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_child, args=(kind, there, *arguments), daemon=True)
    process.start()
    # So that the end of the process is the end of the pipe.
    there.close()
    try:
        yield process, here.recv()
    finally:
        process.kill()
        process.join()


def processor_s(pid: int | None) -> float:
    """Processor time of all threads of a process."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


class Client(asyncio.Protocol):
    """Keeps `IN_FLIGHT` messages on their way; what is a whole answer, `count` says."""

    def __init__(
        self, first: bytes, content: bytes, websocket: bool, *, running: bool = True
    ) -> None:
        self._first, self._content, self._websocket = first, content, websocket
        self._unread = b""
        self._echoed = 0
        self.sent = 0
        self.answers = self.rejected = 0
        self.running, self.welcomed = running, False

    def connection_made(self, transport: Any) -> None:
        """Ask for a websocket, or begin to send."""
        self._transport = transport
        if self._websocket:
            transport.write(self._first)
        else:
            self._send(IN_FLIGHT)

    def _send(self, number: int) -> None:
        for _ in range(number if self.running else 0):
            self.sent += 1
            header = FrameHeader(self.sent, self.sent * 1000, 30_000, *SIDES, codec=Codec.RAW)
            message = encode_frame(header, self._content)
            # A mask of zeros leaves the content as it is (RFC 6455, section 5.3).
            self._transport.write(_masked(0x82, message))

    def data_received(self, data: bytes) -> None:
        """Count what is answered, and send as much again."""
        if self._websocket:
            self._messages(data)
            return
        size = len(self._content) + 24 + 8
        before, self._echoed = self._echoed, self._echoed + len(data)
        number = self._echoed // size - before // size
        self.answers += number
        self._send(number)

    def _messages(self, data: bytes) -> None:
        self._unread += data
        if not self.answers and b"\r\n\r\n" in self._unread and self._unread.startswith(b"HTTP"):
            self._unread = self._unread.partition(b"\r\n\r\n")[2]
            self._transport.write(_masked(0x81, encode(Hello()).encode()))
        number = 0
        while len(self._unread) >= 4:
            short = self._unread[1]
            size, start = (short, 2) if short < 126 else (int.from_bytes(self._unread[2:4]), 4)
            if len(self._unread) < start + size:
                break
            kind, message = self._unread[0], self._unread[start : start + size]
            self._unread = self._unread[start + size :]
            if kind == PING:
                self._transport.write(_masked(0x8A, message))
            elif b'"welcome"' in message:
                self.welcomed = True
                self._send(IN_FLIGHT)
            elif b'"result"' in message:
                number += 1
            elif b'"reject"' in message:
                self.rejected += 1
                self._send(1)
        self.answers += number
        self._send(number)


def _masked(first: int, message: bytes) -> bytes:
    size = len(message)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    return bytes([first]) + length + bytes(4) + message


def same(client: Client) -> Client:
    """The client itself, where asyncio wants what makes one."""
    return client


def handshake(key: str) -> bytes:
    """The request for a websocket, with an API key."""
    return (
        f"GET {PATH} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\nAuthorization: Bearer {key}\r\n\r\n"
    ).encode()


def cost_us(process: BaseProcess, port: int, tls: bool, key: str, sessions: int) -> float:
    """Microseconds of the server's processor time per message."""
    websocket = bool(key)
    first = handshake(key)
    content = os.urandom(SIDES[0] * SIDES[1] * 3)

    async def measure() -> float:
        loop = asyncio.get_running_loop()
        context = ssl._create_unverified_context() if tls else None
        clients = [Client(first, content, websocket) for _ in range(sessions)]
        for client in clients:
            await loop.create_connection(partial(same, client), "127.0.0.1", port, ssl=context)
        await asyncio.sleep(1.0)
        begun, before = sum(one.answers for one in clients), processor_s(process.pid)
        await asyncio.sleep(3.0)
        spent = processor_s(process.pid) - before
        number = sum(one.answers for one in clients) - begun
        for client in clients:
            client.running = False
        return spent / number * 1e6

    result: list[float] = []

    async def main() -> None:
        result.append(await measure())

    run_loop(main())
    return result[0]


def cpu(_work: Work) -> Iterator[Row]:
    """Microseconds per frame of a free model, over an echo of the same bytes, in turn."""
    key = new_key()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        keys = folder / "keys.toml"
        keys.write_text(PLAN + entry("benchmark", key, plan="p"))
        _, certificate, secret = make_dev_certificates(folder)
        for tls in (False, True):
            files = (certificate, secret) if tls else None
            for sessions, max_batch in ((16, 8), (8, 1), (1, 1)):
                with (
                    child("echo", files) as (echo, echo_port),
                    child("service", files, keys, max_batch) as (service, port),
                ):
                    time.sleep(1.0)
                    bare, whole = [], []
                    for _ in range(3):
                        bare.append(cost_us(echo, echo_port, tls, "", sessions))
                        whole.append(cost_us(service, port, tls, key, sessions))
                yield {
                    "tls": tls,
                    "sessions": sessions,
                    "batch": max_batch,
                    "echo us": float(np.median(bare)),
                    "service us": float(np.median(whole)),
                    "ratio": float(np.median(whole) / np.median(bare)),
                }
