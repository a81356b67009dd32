"""Devices that send live frames while jobs fill the machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from tests.support.video_server import VideoServer
from video_load.clips import SIZE, Row, upload_all

LIVE_DEVICES, LIVE_FPS = 10, 2.0


class Live:
    """Devices that each send LIVE_FPS frames per second over the websocket."""

    def __init__(self, server: VideoServer, frame: bytes, size: tuple[int, int]) -> None:
        self._server, self._frame, self._size = server, frame, size
        self.seconds: list[float] = []
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send for the length of the block."""
        threads = [threading.Thread(target=self._device) for _ in range(LIVE_DEVICES)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _device(self) -> None:
        from websockets.sync.client import connect
        from websockets.typing import Subprotocol

        from tallylens.cloud_fallback.wire.constants import PATH, SUBPROTOCOL
        from tallylens.cloud_fallback.wire.messages import Hello, encode

        headers = {"Authorization": f"Bearer {self._server.weak_key}"}
        url = f"ws://127.0.0.1:{self._server.port}{PATH}"
        with connect(
            url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers=headers,
            compression=None,
            proxy=None,
        ) as socket:
            socket.send(encode(Hello()))
            socket.recv()
            sequence = 1
            while not self._stop.is_set():
                began = time.monotonic()
                socket.send(live_frame(sequence, self._size, self._frame))
                socket.recv(timeout=30)
                self.seconds.append(time.monotonic() - began)
                sequence += 1
                self._stop.wait(max(0.0, 1 / LIVE_FPS - (time.monotonic() - began)))


def live_frame(sequence: int, size: tuple[int, int], jpeg: bytes) -> bytes:
    """One frame as the protocol has it."""
    from tallylens.cloud_fallback.wire.frames import FrameHeader, encode_frame

    header = FrameHeader(sequence, sequence * 500_000, 10_000, *size)
    return encode_frame(header, jpeg)


def live_rows(server: VideoServer, clips: list[Path]) -> list[Row]:
    """Latency of live frames without jobs, and while jobs fill the machine."""
    import cv2

    capture = cv2.VideoCapture(str(clips[0]))
    image = capture.read()[1]
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    rows = []
    for what, jobs in (("live frames alone", False), ("live frames beside jobs", True)):
        live = Live(server, jpeg, SIZE)
        with live.running():
            if jobs:
                # With another option, so that nothing is taken for a copy.
                ended = upload_all(server, clips, zones=["0,0,1,0,1,1"])
            else:
                time.sleep(15)
        p95 = 1000 * quantiles(live.seconds, n=20)[18]
        row = {"what": what, "frames": len(live.seconds), "live_p95_ms": p95}
        rows.append({**row, **({"late": ended["late"]} if jobs else {})})
    return rows
