"""Cameras and network streams: pictures of now, timed by this machine's clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ..errors import NetworkError, SourceError, UnavailableError
from ..types import Frame
from .opencv import ffmpeg_or_any, load_cv2
from .prefetch import Prefetch
from .source import Source
from .video import decode_next, frame_count, frame_rate, video_source

SCHEMES = ("rtsp", "rtsps", "http", "https")
TIMEOUT_MS = 10_000


def open_camera(index: int) -> Source:
    """The pictures of camera number `index` of this machine, 0 for the first.

    Raises:
        UnavailableError: there is no such camera, or another program has it.
    """
    cv2 = load_cv2()
    capture = cv2.VideoCapture(index)
    name = f"camera {index}"
    if not capture.isOpened():
        raise _no_camera(name)
    return _live_source(cv2, capture, name, _no_camera(name))


def open_url(url: str) -> Source:
    """The pictures of an RTSP or HTTP stream, or all frames of a video behind an HTTP address.

    Raises:
        SourceError: not such an address.
        NetworkError: it does not answer, or sends no picture.
    """
    name = redact(url)
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise SourceError(
            name, "an address of another kind", f"Give one that starts with {', '.join(SCHEMES)}"
        )
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        raise SourceError(name, "not a complete address", "Give scheme://host/path")
    cv2 = load_cv2()
    timeouts = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
    limits = [setting for timeout in timeouts for setting in (timeout, TIMEOUT_MS)]
    capture = cv2.VideoCapture(url, ffmpeg_or_any(cv2), limits)
    silent = NetworkError(
        name, "no video comes from there", "Check the address, the user name and the network"
    )
    if not capture.isOpened():
        raise silent
    if frame_count(cv2, capture):
        return video_source(capture, name)
    return _live_source(cv2, capture, name, silent)


def redact(url: str) -> str:
    """The address without user name, password and query, to be shown.

    A password may itself hold / or ?, so everything up to the last @ goes.
    """
    scheme, _, rest = url.partition("://")
    shown = rest.rpartition("@")[2]
    for mark in "?#":
        shown = shown.partition(mark)[0]
    return f"{scheme}://{shown}"


def _no_camera(name: str) -> UnavailableError:
    return UnavailableError(
        f"{name} cannot be opened",
        "Check that it is connected and that no other program uses it, or try another number",
    )


def _live_source(cv2: Any, capture: Any, name: str, silent: Exception) -> Source:
    warnings: list[str] = []
    reader = LiveReader(cv2, capture, warnings)
    first = reader.read()
    if first is None:
        reader.close()
        raise silent
    height, width = first.image.shape[:2]
    return Source(
        Prefetch(reader, warnings, drop_oldest=True),
        name=name,
        size=(width, height),
        fps=frame_rate(cv2, capture),
        live=True,
        warnings=warnings,
    )


class LiveReader:
    """Pictures as they come; timestamps are nanoseconds since the first one. See `Reader`."""

    def __init__(
        self,
        cv2: Any,
        capture: Any,
        warnings: list[str],
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._cv2 = cv2
        self._capture = capture
        self._warnings = warnings
        self._clock_ns = clock_ns
        self._start_ns: int | None = None
        self._previous_ns = -1
        self._index = 0

    def read(self) -> Frame | None:
        """Wait for the next picture; None once the stream ends."""
        image = decode_next(self._cv2, self._capture)
        now_ns = self._clock_ns()
        if image is None:
            self._warnings.append(f"the stream ended after {self._index} pictures")
            return None
        if self._start_ns is None:
            self._start_ns = now_ns
        # Coarse clocks can give two pictures the same time.
        timestamp_ns = max(now_ns - self._start_ns, self._previous_ns + 1)
        self._previous_ns = timestamp_ns
        frame = Frame(image, timestamp_ns, self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        """Let go of the camera or connection."""
        self._capture.release()
