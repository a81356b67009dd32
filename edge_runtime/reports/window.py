"""A window that shows the annotated frames of a count as they are processed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ..counting.period_totals import Period
from ..counting.sinks import FrameResult
from ..errors import UnavailableError
from ..sources.opencv import load_cv2
from .annotate import draw

CLOSING_KEYS = (27, ord("q"))
LARGEST = (1280, 720)
PROBE_S = 30.0
PROBE = """
import cv2
cv2.namedWindow("tallylens", cv2.WINDOW_NORMAL)
cv2.destroyAllWindows()
"""

cv2 = load_cv2()


class LiveWindow:
    """Shows each frame with boxes, regions and running counts; see `Sink`.

    Escape, `q` or the window's button close it; the count continues.

    Args:
        title: of the window.
        on_notice: receives a sentence when the user has closed the window.

    Raises:
        UnavailableError: no display, or an OpenCV without windows.
    """

    def __init__(self, title: str, on_notice: Callable[[str], None]) -> None:
        # Qt prints a paragraph about fonts, which the window does not need.
        os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
        check_display()
        self._title, self._on_notice = title, on_notice
        self._open = self._closed = False

    def frame(self, result: FrameResult) -> None:
        """Show one frame; the frame itself is not changed."""
        if self._closed or result.frame.image is None:
            return
        image = result.frame.image.copy()
        draw(image, result)
        if not self._open:
            self._show_window(image.shape[1], image.shape[0])
        elif cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            self._end()
            return
        cv2.imshow(self._title, image)
        if cv2.waitKey(1) & 0xFF in CLOSING_KEYS:
            self._end()

    def _show_window(self, width: int, height: int) -> None:
        # Without the tool bar of Qt.
        style = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        cv2.namedWindow(self._title, style)
        scale = min(LARGEST[0] / width, LARGEST[1] / height, 1.0)
        cv2.resizeWindow(self._title, max(round(width * scale), 1), max(round(height * scale), 1))
        self._open = True

    def _end(self) -> None:
        self.close()
        self._on_notice("the window is closed; the count continues (Ctrl-C ends it)")

    def close(self) -> None:
        """Close the window; only the first call has an effect."""
        if self._open and not self._closed:
            cv2.destroyAllWindows()
            # Some toolkits close windows only while they handle events.
            cv2.waitKey(1)
        self._closed = True

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Nothing: the window of a resumed count starts where it resumes."""

    def period(self, period: Period) -> None:
        """Nothing: the next frame shows the totals after the reset."""

    def save(self) -> dict[str, Any]:
        """Nothing: a window has no state."""
        return {}


def check_display() -> None:
    """Raise UnavailableError if no window can be opened.

    A process of its own tries it: the toolkit of OpenCV ends the whole process on some failures.
    """
    remedy = "Omit --show, or write the video with --annotate OUT.mp4"
    unix = sys.platform.startswith("linux")
    if unix and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UnavailableError("--show needs a display, and this session has none", remedy)
    if not has_windows():
        raise UnavailableError(
            "--show needs an OpenCV with windows, and this one is headless",
            "Replace opencv-python-headless with opencv-python, or omit --show",
        )
    command = [sys.executable, "-c", PROBE]
    try:
        opened = subprocess.run(command, capture_output=True, timeout=PROBE_S, check=False)
    except subprocess.TimeoutExpired:
        works = False
    else:
        works = opened.returncode == 0
    if not works:
        display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or ""
        raise UnavailableError(f"no window can be opened on the display {display}".rstrip(), remedy)


def has_windows() -> bool:
    """Whether this OpenCV is built with a toolkit for windows."""
    for line in cv2.getBuildInformation().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "GUI":
            return bool(value.strip() != "NONE")
    return True
