"""Live sources: frames get the time of arrival, drops are counted, lost streams are reopened."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.errors import NetworkError
from tallylens.edge_runtime.sources import LiveOptions, open_source
from tallylens.edge_runtime.sources.live import LiveReader, StreamClock, waits

cv2 = pytest.importorskip("cv2")

PATIENCE_S = 30
IMAGE = np.zeros((4, 6, 3), np.uint8)


class Capture:
    """Deliver a number of frames, then nothing."""

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures
        self.released = False

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.pictures -= 1
        return (True, IMAGE) if self.pictures >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


class Clock:
    """Steps by `step_ns` at each look."""

    def __init__(self, step_ns: int = 100) -> None:
        self.now_ns = 1000
        self.step_ns = step_ns

    def __call__(self) -> int:
        self.now_ns += self.step_ns
        return self.now_ns


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallylens.edge_runtime.sources.live.FIRST_WAIT_S", 0.001)
    monkeypatch.setattr("tallylens.edge_runtime.sources.live.MAX_WAIT_S", 0.01)


def test_the_waits_double_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallylens.edge_runtime.sources.live.FIRST_WAIT_S", 0.5)
    monkeypatch.setattr("tallylens.edge_runtime.sources.live.MAX_WAIT_S", 30.0)
    steps = waits()
    assert [next(steps) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_pictures_are_timed_by_the_clock_and_never_twice_the_same() -> None:
    times = iter([700, 800, 800, 950])
    reader = LiveReader(lambda: Capture(0), Capture(4), "camera", [], clock_ns=lambda: next(times))
    frames = [reader.read() for _ in range(4)]
    assert [(f.timestamp_ns, f.index, f.arrived_ns) for f in frames if f] == [
        (0, 0, 700),
        (100, 1, 800),
        (101, 2, 800),
        (250, 3, 950),
    ]


def test_the_first_picture_that_was_read_to_know_the_size_is_not_lost() -> None:
    first = np.ones_like(IMAGE)
    reader = LiveReader(lambda: Capture(0), Capture(1), "camera", [], first=first)
    frames = [reader.read(), reader.read()]
    assert [f.image[0, 0, 0] for f in frames if f] == [1, 0]


def test_it_comes_back_and_says_so() -> None:
    captures = [Capture(0), Capture(0), Capture(2)]
    notices: list[str] = []
    warnings: list[str] = []
    first = Capture(1)
    reader = LiveReader(
        lambda: captures.pop(0),
        first,
        "rtsp://host/1",
        warnings,
        LiveOptions(on_notice=notices.append),
        clock_ns=Clock(),
    )
    states = []
    frames = []
    for _ in range(3):
        frames.append(reader.read())
        states.append(reader.health.state)
    assert [f.index for f in frames if f] == [0, 1, 2]
    assert first.released
    assert states == ["connected"] * 3
    assert [notice.partition(";")[2] for notice in notices[:3]] == [
        " attempt 1 in 0.0 s",
        " attempt 2 in 0.0 s",
        " attempt 3 in 0.0 s",
    ]
    assert notices[3] == "rtsp://host/1: reconnected after 0.0 s"
    reader.close()
    assert warnings == ["the connection was lost once; 0.0 s were not counted"]


def test_what_does_not_come_back_is_an_error_that_says_how_long() -> None:
    clock = Clock(step_ns=1_000_000_000)
    reader = LiveReader(
        lambda: Capture(0),
        Capture(2),
        "camera 0",
        [],
        LiveOptions(patience_s=5),
        clock_ns=clock,
    )
    assert reader.read()
    assert reader.read()
    with pytest.raises(NetworkError, match="no frame for 5 s, after 2 frames"):
        reader.read()


def test_without_patience_it_is_not_tried_again() -> None:
    def never() -> Any:
        raise AssertionError

    reader = LiveReader(never, Capture(1), "camera 0", [], LiveOptions(patience_s=0))
    assert reader.read()
    with pytest.raises(NetworkError):
        reader.read()


def test_closing_ends_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallylens.edge_runtime.sources.live.FIRST_WAIT_S", PATIENCE_S)
    waiting = threading.Event()
    reader = LiveReader(
        lambda: Capture(0),
        Capture(0),
        "camera",
        [],
        LiveOptions(on_notice=lambda _: waiting.set()),
    )
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(reader.read()))
    thread.start()
    assert waiting.wait(PATIENCE_S)
    reader.health.closing.set()
    thread.join(PATIENCE_S / 2)
    assert found == [None]


@pytest.mark.parametrize(
    ("arrivals", "own", "shown"),
    [
        # Jitter of the network is not motion.
        ([0, 130, 190, 310], [5000, 5100, 5200, 5300], [0, 100, 200, 300]),
        # A stream whose time does not rise evenly is timed by arrival.
        ([0, 100, 200, 300], [7, 7, 7, 7], [0, 1, 2, 3]),
        ([0, 100, 200, 300], [0, 100, 90_000, 90_100], [0, 100, 200, 300]),
        ([0, 100, 200, 300], [9000, 9100, 0, 100], [0, 100, 200, 300]),
    ],
)
def test_a_streams_own_clock(arrivals: list[int], own: list[int], shown: list[int]) -> None:
    ms = 1_000_000
    clock = StreamClock()
    found = [
        clock.timestamp(arrival * ms, stream * ms)
        for arrival, stream in zip(arrivals, own, strict=True)
    ]
    assert [round(at / ms) if own[0] != 7 else at for at in found] == shown


def test_a_resumed_count_goes_on_at_the_wall_clock() -> None:
    clock = StreamClock(after_ns=500, offset_ns=10_000)
    assert [clock.timestamp(at) for at in (7, 17)] == [10_000, 10_010]
    behind = StreamClock(after_ns=500, offset_ns=100)
    assert [behind.timestamp(at) for at in (7, 17)] == [501, 511]


class Cameras(http.server.ThreadingHTTPServer):
    """An MJPEG camera: each connection gets `per_connection` frames and is then cut."""

    daemon_threads = True
    per_connection = 5
    connections = 0


class Stream(http.server.BaseHTTPRequestHandler):
    server: Cameras

    def do_GET(self) -> None:
        self.server.connections += 1
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for level in range(self.server.per_connection):
            picture = np.full((48, 64, 3), 10 * level, np.uint8)
            jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                return

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def camera() -> Iterator[Cameras]:
    server = Cameras(("127.0.0.1", 0), Stream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(PATIENCE_S)


def address(server: Cameras) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/video.mjpg"


def test_a_camera_that_is_cut_off_comes_back(camera: Cameras) -> None:
    notices: list[str] = []
    live = LiveOptions(on_notice=notices.append)
    with open_source(address(camera), live=live) as source:
        assert (source.live, source.size) == (True, (64, 48))
        assert source.epoch_ns is not None
        times = []
        while camera.connections < 3:
            times.append(next(source).timestamp_ns)
        assert times == sorted(set(times))
    assert any("reconnected after" in notice for notice in notices)
    assert any("the connection was lost" in warning for warning in source.warnings)


def test_what_nobody_takes_is_counted(camera: Cameras) -> None:
    camera.per_connection = 20
    live = LiveOptions(patience_s=0)
    with open_source(address(camera), live=live) as source:
        taken = 0
        # The reader meets the end of the stream only after all frames went through the slot.
        wait_until(lambda: not source_thread_alive())
        with pytest.raises(NetworkError, match="after 20 frames"):  # noqa: PT012
            for _ in source:
                taken += 1
        assert (taken, source.dropped) == (1, 19)
    assert source.warnings[-1] == (
        "19 frames were dropped because counting was slower than the camera"
    )


def source_thread_alive() -> bool:
    return any(thread.name == "tallylens-decode" for thread in threading.enumerate())


def wait_until(holds: Callable[[], bool]) -> None:
    for thread in threading.enumerate():
        if thread.name == "tallylens-decode":
            thread.join(PATIENCE_S)
    assert holds()


def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NetworkError, match="no video received"):
        open_source(f"http://127.0.0.1:{port}/video.mjpg")
