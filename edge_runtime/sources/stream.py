"""Cameras and network streams, opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ..errors import NetworkError, SourceError, UnavailableError
from .live import LiveOptions as Live
from .live import LiveReader
from .opencv import ffmpeg_or_any, load_cv2
from .prefetch import Prefetch
from .source import Source
from .video import decode_next, frame_count, frame_rate, video_source

SCHEMES = ("rtsp", "rtsps", "http", "https")
TIMEOUT_MS = 10_000


def open_camera(index: int, live: Live | None = None) -> Source:
    """The pictures of camera number `index` of this machine, 0 for the first.

    Raises:
        UnavailableError: there is no such camera, or another program has it.
    """
    cv2 = load_cv2()

    def connect() -> Any:
        return cv2.VideoCapture(index)

    capture, name = connect(), f"camera {index}"
    if not capture.isOpened():
        raise _no_camera(name)
    return _live_source(cv2, connect, capture, name, _no_camera(name), live or Live())


def open_url(url: str, live: Live | None = None, start: int = 0) -> Source:
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

    def connect() -> Any:
        return cv2.VideoCapture(url, ffmpeg_or_any(cv2), limits)

    capture = connect()
    silent = NetworkError(
        name, "no video comes from there", "Check the address, the user name and the network"
    )
    if not capture.isOpened():
        raise silent
    if frame_count(cv2, capture):
        return video_source(capture, name, start)
    return _live_source(cv2, connect, capture, name, silent, live or Live())


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


def _live_source(
    cv2: Any, connect: Callable[[], Any], capture: Any, name: str, silent: Exception, live: Live
) -> Source:
    first = decode_next(cv2, capture)
    if first is None:
        capture.release()
        raise silent
    warnings: list[str] = []
    own_time = _own_time(cv2, name)
    reader = LiveReader(connect, capture, name, warnings, live, first=first, stream_ms=own_time)
    height, width = first.shape[:2]
    return Source(
        Prefetch(reader, warnings, depth=1, drop_oldest=True, closing=reader.health.closing),
        name=name,
        size=(width, height),
        fps=frame_rate(cv2, capture),
        live=True,
        warnings=warnings,
        epoch_ns=reader.epoch_ns,
    )


def _own_time(cv2: Any, name: str) -> Callable[[Any], float] | None:
    """RTSP carries the sender's clock; for pictures over HTTP, FFmpeg makes a time up."""
    if not name.lower().startswith("rtsp"):
        return None
    return lambda capture: float(capture.get(cv2.CAP_PROP_POS_MSEC))
