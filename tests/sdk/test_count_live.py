"""A camera that is cut off, a Ctrl-C, and the count that is resumed later."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from tallylens import Counter, Line, Report
from tallylens.counter import FrameResult
from tests.support import squares

PATIENCE_S = 30


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """An MJPEG camera at `url` that cuts each connection after ten frames."""
    monkeypatch.setattr("tallylens.edge_runtime.sources.live.FIRST_WAIT_S", 0.01)
    still = squares.Walker(squares.RED, (64, 64), (64, 64))
    jpeg = cv2.imencode(".jpg", squares.scene([still], 1)[0])[1].tobytes()
    seen = SimpleNamespace(connections=0)

    class Stream(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.connections += 1
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                for _ in range(10):
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    seen.url = f"http://user:secret@127.0.0.1:{server.server_address[1]}/video.mjpg"
    yield seen
    server.shutdown()
    server.server_close()
    thread.join(PATIENCE_S)


def ctrl_c_after(camera: SimpleNamespace, connections: int) -> Callable[[FrameResult], None]:
    last = camera.connections + connections

    def stop(_: FrameResult) -> None:
        if camera.connections >= last:
            raise KeyboardInterrupt

    return stop


def test_a_live_count_survives_cuts_ctrl_c_and_a_restart(
    camera: SimpleNamespace, tiny_model: Path, tmp_path: Path
) -> None:
    reports: list[Report] = []
    notices: list[str] = []
    for _ in range(2):
        with Counter(
            tiny_model,
            lines=[Line(0, 0.5, 1, 0.5)],
            state=tmp_path / "count.state",
            reset="daily@00:00",
            on_notice=notices.append,
        ) as counter:
            reports.append(counter.run(camera.url, on_frame=ctrl_c_after(camera, 4)))
    first, second = reports
    assert first.interrupted
    assert first.frames >= 1
    assert any("the connection was lost" in warning for warning in first.warnings)
    assert any("reconnected after" in notice for notice in notices)
    assert second.frames > first.frames
    assert second.seconds > first.seconds
    assert second.started == first.started is not None
    assert second.dropped >= first.dropped
    everything = "".join([*notices, first.source, *first.warnings])
    assert "secret" not in everything
    assert (tmp_path / "count.state").read_bytes().find(b"secret") == -1
