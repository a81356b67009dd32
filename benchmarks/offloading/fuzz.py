"""Invalid messages of clients with a key: does the service survive, and do others notice?"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from tallylens.cloud_fallback.wire.constants import MAX_FRAME_BYTES, PATH, SUBPROTOCOL
from tallylens.cloud_fallback.wire.frames import Codec, FrameHeader, encode_frame
from tallylens.cloud_fallback.wire.messages import Bye, Hello, encode
from tallylens.edge_runtime.counting.regions import Line

from .load import Load, picture
from .service import memory_mib
from .work import Row, Work, free_port

CLIENTS = 8
SIDES = (320, 176)
Message = bytes | str


class UntrustedClient:
    """Messages by a seed. The headers of a polite one are valid, so that it is kept for long."""

    def __init__(self, seed: int, content: bytes, *, polite: bool) -> None:
        self._chance = random.Random(seed)
        self._polite = polite
        self._content = content
        self._sequence = 0

    def next(self) -> Message:
        """One message."""
        if self._polite:
            return self._frame()
        kinds = (self._frame, self._bent_frame, self._text, self._bent_text, self._noise)
        return self._chance.choices(kinds, (30, 30, 5, 20, 15))[0]()

    def _frame(self) -> bytes:
        """A valid header, and an image or something else behind it; often out of order."""
        chance = self._chance
        jumps = 0 if self._polite else 2
        step = chance.choices((1, 0, -3, 70_000, 1 << 31), (80, 8, 8, jumps, jumps))[0]
        self._sequence = min(max(1, self._sequence + step), (1 << 32) - 1)
        width, height = chance.choices((SIDES, (65_535, 65_535), (30_000, 30_000)), (8, 1, 1))[0]
        header = FrameHeader(
            self._sequence,
            chance.randrange(-(1 << 63), 1 << 63),
            chance.choice((0, 1, 1000, (1 << 32) - 1)),
            width,
            height,
            chance.choice(tuple(Codec)),
        )
        return encode_frame(header, self._content_or_garbage())

    def _content_or_garbage(self) -> bytes:
        chance, content = self._chance, self._content
        which = chance.randrange(6)
        if which == 0:
            return content
        if which == 1:
            return content[: chance.randrange(len(content))]
        if which == 2:
            return bomb(30_000, 30_000)
        if which == 3:
            return bytes(chance.choice((0, 1, 1 << 16)))
        if which == 4 and not chance.randrange(50):
            return bytes(MAX_FRAME_BYTES)
        return self._bend(content, 20)

    def _bent_frame(self) -> bytes:
        return self._bend(self._frame()[: self._chance.choice((10, 24, 40, 1 << 22))], 3)

    def _bend(self, content: bytes, changes: int) -> bytes:
        bent = bytearray(content)
        for _ in range(self._chance.randrange(changes) if bent else 0):
            bent[self._chance.randrange(len(bent))] = self._chance.randrange(256)
        return bytes(bent)

    def _text(self) -> str:
        regions = (Line(0.0, 0.5, 1.0, 0.5),)
        return encode(self._chance.choice((Hello(), Hello("count", regions=regions), Bye())))

    def _bent_text(self) -> str:
        if not self._chance.randrange(4):
            deep = self._chance.choice(("[", '{"a":')) * self._chance.choice((10, 3000))
            return deep[: self._chance.choice((100, 20_000))]
        return self._bend(self._text().encode(), 4).decode("latin-1")

    def _noise(self) -> Message:
        noise = self._chance.randbytes(self._chance.choice((0, 1, 23, 24, 25, 1000, 40_000)))
        return noise if self._chance.randrange(2) else noise.decode("latin-1")


def bomb(width: int, height: int) -> bytes:
    """A JPEG of about a kilobyte whose header asks for that many pixels."""
    size = struct.pack(">HH", height, width)
    start = b"\xff\xd8\xff\xc2\x00\x11\x08" + size + b"\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00"
    return start + b"\xff\xda\x00\x0c\x03\x01\x00\x02\x00\x03\x00\x00\x3f\x00" + bytes(1000)


def fuzz(work: Work) -> Iterator[Row]:
    """Fuzzed messages beside a session that keeps the rules."""
    model, port = work.model("192x320"), free_port()
    content = picture(SIDES)
    with work.server(model, port) as process:
        alone = Load(work, port, content, SIDES)
        asyncio.run(alone.run(0.25, 20.0, 0.0))
        before = memory_mib(process)
        beside = Load(work, port, content, SIDES)
        ends = asyncio.run(attack(work, port, content, beside))
        after = Load(work, port, content, SIDES)
        asyncio.run(after.run(0.25, 5.0, 0.0))
        for name, load in (("alone", alone), ("beside", beside), ("after", after)):
            yield {
                "session": name,
                "sent": load.sent,
                "answered": load.answered,
                "rejected": load.rejected,
                "p95 ms": float(np.percentile(load.latencies_s, 95) * 1000),
                "fuzzed messages": sum(ends.values()) if name == "beside" else 0,
                "server MiB": before if name == "alone" else memory_mib(process),
                "server lives": process.poll() is None,
                "closed with": dict(ends) if name == "beside" else {},
            }


async def attack(work: Work, port: int, content: bytes, beside: Load) -> Counter[str]:
    """All untrusted clients at once, and one good session beside them."""
    ends: Counter[str] = Counter()
    share = work.settings.messages // CLIENTS
    clients = [
        asyncio.create_task(
            _visit(work, port, UntrustedClient(seed, content, polite=seed % 2 == 0), share, ends)
        )
        for seed in range(CLIENTS)
    ]
    done = asyncio.Event()
    good = asyncio.create_task(beside.run(0.25, 1e9, 0.0, done))
    await asyncio.gather(*clients)
    done.set()
    await good
    return ends


async def _visit(work: Work, port: int, client: UntrustedClient, messages: int, ends: Any) -> None:
    """Connect, send until closed, reconnect; `ends` counts messages by close code."""
    sent = 0
    while sent < messages:
        before = sent
        why = "refused"
        with contextlib.suppress(InvalidStatus, InvalidMessage, OSError, TimeoutError):
            async with connect(
                f"ws://127.0.0.1:{port}{PATH}",
                additional_headers={"Authorization": f"Bearer {work.key}"},
                subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
                compression=None,
                proxy=None,
                max_size=None,
                open_timeout=60,
                close_timeout=5,
            ) as websocket:
                reader = asyncio.create_task(_read(websocket))
                with contextlib.suppress(ConnectionClosed):
                    await websocket.send(encode(Hello()))
                    while sent < messages:
                        await websocket.send(client.next())
                        sent += 1
                        # A server that has closed gets no more.
                        await asyncio.sleep(0)
                await websocket.close()
                await reader
                why = str(websocket.close_code)
        ends[why] += sent - before


async def _read(websocket: Any) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for _ in websocket:
            pass
