"""`count --show` on a display of its own, and where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.errors import UnavailableError
from tallylens.edge_runtime.reports import window

pytestmark = pytest.mark.slow

LINE = "0,0.5,1,0.5"
# Shows a frame with a red square until a line is read, then closes the window.
SHOW = """
import sys, numpy as np
from tallylens import Detections, Tracks
from tallylens.edge_runtime.counting.sinks import FrameResult
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.reports.window import LiveWindow
from tallylens.edge_runtime.types import Frame
image = np.zeros((240, 320, 3), np.uint8)
image[60:180, 80:240] = (0, 0, 255)
window = LiveWindow("street", lambda notice: print(notice, flush=True))
for i in range(20):
    frame = Frame(image, i)
    result = FrameResult(frame, Detections.empty(), Tracks.empty(), [], Totals(["car"], (320, 240)))
    window.frame(result)
assert (image[0] == 0).all(), "the frame itself is not changed"
print("shown", flush=True)
sys.stdin.readline()
window.close()
window.close()
window.frame(result)
"""


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A display that only exists in memory."""
    server = shutil.which("Xvfb")
    if server is None and not os.environ.get("CI"):
        pytest.skip("needs a display: apt install xvfb")
    assert server is not None, "Xvfb is missing: apt install xvfb"
    read, write = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(write), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as numbers:
        yield f":{numbers.readline().strip()}"
    process.terminate()
    process.wait(30)


def screen(display: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The pixels of the display, (480, 640, 3) BGR."""
    grab = ["ffmpeg", "-v", "error", "-f", "x11grab", "-video_size", "640x480", "-i", display]
    grabbed = subprocess.run(
        [*grab, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "bgr24", "-"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return np.frombuffer(grabbed.stdout, np.uint8).reshape(480, 640, 3)


def redness(display: str) -> int:
    image = screen(display).astype(int)
    return int(((image[:, :, 2] > 200) & (image[:, :, :2] < 60).all(axis=2)).sum())


def test_frames_are_shown_until_the_window_is_closed(display: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DISPLAY": display},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "shown\n"
    assert redness(display) > 10_000
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert redness(display) == 0


def run(display: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tallylens", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "DISPLAY": display, "WAYLAND_DISPLAY": ""},
        timeout=120,
    )


def test_counts_are_the_same_with_a_window(display: str, crossing: Path, tiny_model: Path) -> None:
    base = ("count", crossing, "--model", tiny_model, "--line", LINE)
    shown = run(display, *base, "--show")
    assert (shown.returncode, shown.stderr) == (0, "")
    hidden = run(display, *base)
    assert without_speed(shown.stdout) == without_speed(hidden.stdout)
    assert "person" in shown.stdout


def without_speed(table: str) -> list[str]:
    return [line for line in table.splitlines() if "ms" not in line and "fps" not in line]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others always have a display")
@pytest.mark.parametrize(
    ("display_name", "reason"),
    [
        ("", "--show needs a display, and this session has none."),
        (":999", "no window can be opened on the display :999."),
    ],
)
def test_without_a_display_the_reason_is_a_sentence(
    crossing: Path, tiny_model: Path, display_name: str, reason: str
) -> None:
    done = run(display_name, "count", crossing, "--model", tiny_model, "--show")
    assert done.returncode == 4
    remedy = "Omit --show, or write the video with --annotate OUT.mp4."
    assert done.stderr == f"tallylens: {reason} {remedy}\n"


def test_a_headless_opencv_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a build cannot be installed beside the other, so its own words are given."""
    information = "\n  GUI:                           NONE\n  Media I/O:\n"
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(window.cv2, "getBuildInformation", lambda: information)
    with pytest.raises(UnavailableError, match="this one is headless"):
        window.check_display()


def test_a_window_needs_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "street.npz")
    done = run(":999", "count", tmp_path / "street.npz", "--show")
    assert done.returncode == 2
    assert "--show needs the images" in done.stderr
