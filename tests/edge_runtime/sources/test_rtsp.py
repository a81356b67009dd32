"""Counts of an RTSP server that is stopped and started again: the count continues, the gap is said.

The server and its H.264 over RTP are real; the video holds squares that the tiny model detects.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens import Counter, Line, Report
from tallylens.counter import FrameResult
from tallylens.edge_runtime.sources import LiveOptions, open_source
from tests.support import squares

av: Any = pytest.importorskip("av")
pytestmark = pytest.mark.slow
# A busy machine drops live frames; the squares are so slow that half a second does not matter.
FPS = 15
PATIENCE_S = 60


@pytest.fixture(scope="module")
def h264(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A car that goes down and a person that goes up, and a second without them, as H.264."""
    path = tmp_path_factory.mktemp("video") / "camera.mp4"
    images = squares.scene(frames=60)
    empty = squares.scene([], frames=15)
    with av.open(str(path), "w") as container:
        options = {"tune": "zerolatency", "g": "15", "bf": "0"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width = stream.height = squares.SIDE
        stream.pix_fmt = "yuv420p"
        for image in (*images, *empty):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(autouse=True)
def quick_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallylens.edge_runtime.sources.live.FIRST_WAIT_S", 0.1)
    monkeypatch.setattr("tallylens.edge_runtime.sources.live.MAX_WAIT_S", 0.3)


class Running:
    """A count of `url` in a thread of its own."""

    def __init__(self, model: Path, url: str) -> None:
        self.notices: list[str] = []
        self.crossings = 0
        self._counter = Counter(
            model,
            lines=[Line(0, 0.5, 1, 0.5)],
            on_notice=self.notices.append,
            patience_s=PATIENCE_S,
        )
        self._reports: list[Report] = []
        self._thread = threading.Thread(target=self._count, args=(url,))
        self._thread.start()

    def _count(self, url: str) -> None:
        with self._counter as counter:
            self._reports.append(counter.run(url, on_frame=self._see))

    def _see(self, result: FrameResult) -> None:
        self.crossings += sum(event.kind.startswith("crossed") for event in result.events)

    def until(self, happened: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < end, (self.crossings, self.notices)
            assert self._thread.is_alive(), self._reports
            time.sleep(0.01)

    def report(self) -> Report:
        self._counter.stop()
        self._thread.join(PATIENCE_S)
        (report,) = self._reports
        return report


def test_an_mp4_behind_rtsp_is_live_and_counted_again_after_its_end(
    h264: Path, tiny_model: Path
) -> None:
    from tests.support.rtsp_server import RtspServer

    with RtspServer(h264, live=False) as server:
        with open_source(server.url, live=LiveOptions(patience_s=0)) as source:
            assert source.live
        running = Running(tiny_model, server.url)
        running.until(lambda: running.crossings >= 4)
        report = running.report()
    assert server.plays >= 3
    assert report.interrupted
    assert report.lines[0].crossed_in == {"car": 2}
    assert report.lines[0].crossed_out == {"person": 2}
    assert any("reconnected after" in notice for notice in running.notices)
    assert any(one.startswith("the connection was lost") for one in report.warnings)


def test_a_camera_that_is_stopped_and_started_again_continues_the_count(
    h264: Path, tiny_model: Path
) -> None:
    from tests.support.rtsp_server import RtspServer

    server = RtspServer(h264, live=True)
    server.start()
    running = Running(tiny_model, server.url)
    running.until(lambda: running.crossings >= 2)
    server.stop()
    before = running.crossings
    running.until(lambda: any("no frame for" in notice for notice in running.notices))
    assert running.crossings == before
    server.start()
    running.until(lambda: running.crossings >= before + 2)
    report = running.report()
    server.stop()
    line = report.lines[0]
    assert sum(line.crossed_in.values()) + sum(line.crossed_out.values()) == running.crossings
    assert set(line.crossed_in) == {"car"}
    assert set(line.crossed_out) == {"person"}
    (gap,) = [one for one in report.warnings if one.startswith("the connection was lost once; ")]
    assert gap.endswith(" s were not counted")
    assert any("reconnected after" in notice for notice in running.notices)
