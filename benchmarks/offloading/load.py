"""Sessions that send one image again and again, and note the answers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import cv2
from websockets.asyncio.client import connect

from tallylens.cloud_fallback.wire.constants import PATH, SUBPROTOCOL
from tallylens.cloud_fallback.wire.frames import FrameHeader, encode_frame
from tallylens.cloud_fallback.wire.messages import (
    Bye,
    Hello,
    Reject,
    Result,
    Summary,
    decode_server,
    encode,
)

from .work import STREET, Work

DEADLINE_MS = 30_000
CREDITS = 8


class Load:
    """One session that sends one image again and again, and notes the answers."""

    def __init__(
        self, work: Work, port: int, picture: bytes, sides: tuple[int, int], key: str = ""
    ) -> None:
        self._url, self._key = f"ws://127.0.0.1:{port}{PATH}", key or work.key
        self._picture, self._sides = picture, sides
        self._sent: dict[int, float] = {}
        self.latencies_s: list[float] = []
        self.overheads_s: list[float] = []
        self.sent = self.answered = self.rejected = 0
        self.summary: Summary | None = None

    async def run(
        self,
        period_s: float,
        seconds: float,
        start_s: float,
        done: asyncio.Event | None = None,
    ) -> None:
        """A frame every `period_s`, or as fast as answers come where that is 0, for `seconds`.

        Or until `done`.
        """
        headers = {"Authorization": f"Bearer {self._key}"}
        async with connect(
            self._url,
            additional_headers=headers,
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
            compression=None,
            proxy=None,
            open_timeout=60,
        ) as websocket:
            await websocket.send(encode(Hello()))
            await websocket.recv()
            reader = asyncio.create_task(self._read(websocket))
            await asyncio.sleep(start_s)
            ends = time.monotonic() + seconds - start_s
            due = time.monotonic()
            while due < ends and not (done is not None and done.is_set()):
                await asyncio.sleep(due - time.monotonic())
                due = due + period_s if period_s else time.monotonic()
                if not period_s and len(self._sent) >= CREDITS:
                    due = time.monotonic() + 0.002
                    continue
                self.sent += 1
                self._sent[self.sent] = time.monotonic()
                await websocket.send(self._message())
            await websocket.send(encode(Bye()))
            await asyncio.wait_for(reader, 120)

    def _message(self) -> bytes:
        width, height = self._sides
        header = FrameHeader(self.sent, self.sent * 1000, DEADLINE_MS, width, height)
        return encode_frame(header, self._picture)

    async def _read(self, websocket: Any) -> None:
        async for text in websocket:
            message = decode_server(text)
            if isinstance(message, Summary):
                self.summary = message
                return
            if isinstance(message, Reject):
                self.rejected += 1
                self._sent.pop(message.sequence)
            if isinstance(message, Result):
                self.answered += 1
                took = time.monotonic() - self._sent.pop(message.sequence)
                self.latencies_s.append(took)
                self.overheads_s.append(took - message.queue_ms / 1000)


def picture(size: tuple[int, int]) -> bytes:
    """A street as JPEG."""
    capture = cv2.VideoCapture(str(STREET))
    _, image = capture.read()
    capture.release()
    data: bytes = cv2.imencode(".jpg", cv2.resize(image, size), [cv2.IMWRITE_JPEG_QUALITY, 80])[
        1
    ].tobytes()
    return data
