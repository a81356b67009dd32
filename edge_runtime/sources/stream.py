"""Opens cameras and network streams."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPException
from shlex import quote
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import Request, urlopen

from ..errors import NetworkError, SourceError, UnavailableError
from .live import LiveOptions as Live
from .live import LiveReader
from .opencv import fails_at_interlaced, ffmpeg_or_any, load_cv2
from .prefetch import Prefetch
from .source import Source
from .video import decode_next, frame_count, frame_rate, video_source

SCHEMES = ("rtsp", "rtsps", "http", "https")
TIMEOUT_MS = 10_000
YOUTUBE = ("youtube.com", "youtu.be", "youtube-nocookie.com")


def open_camera(index: int, live: Live | None = None) -> Source:
    """The frames of camera number `index` of this machine, 0 for the first.

    Raises:
        UnavailableError: no such camera, or another program uses it.
    """
    cv2 = load_cv2()

    def connect() -> Any:
        return cv2.VideoCapture(index)

    capture, name = connect(), f"camera {index}"
    if not capture.isOpened():
        raise _no_camera(name)
    return _live_source(cv2, connect, capture, name, _no_camera(name), live or Live())


def open_url(url: str, live: Live | None = None, start: int = 0) -> Source:
    """The frames of an RTSP or HTTP stream, or of a video file behind an HTTP URL.

    Raises:
        SourceError: not such a URL.
        NetworkError: it does not answer, or sends no frames.
    """
    name = redact(url)
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise SourceError(name, "unsupported URL scheme", f"Use one of {', '.join(SCHEMES)}")
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        raise SourceError(name, "incomplete URL", "Use scheme://host/path")
    if is_youtube(host):
        raise _youtube(url, name)
    cv2 = load_cv2()
    timeouts = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
    limits = [setting for timeout in timeouts for setting in (timeout, TIMEOUT_MS)]

    def connect() -> Any:
        return cv2.VideoCapture(url, ffmpeg_or_any(cv2), limits)

    capture = connect()
    silent = NetworkError(
        name, "no video received", "Check the URL, the user name and password, and the network"
    )
    if not capture.isOpened():
        raise silent
    if scheme.startswith("http") and frame_count(cv2, capture) and has_length(url):
        return video_source(capture, name, start)
    return _live_source(cv2, connect, capture, name, silent, live or Live())


def has_length(url: str) -> bool:
    """Whether the server says how long its answer is: then it is a file, else a live stream.

    An answer that cannot be had this way, such as behind a login, counts as a file's.
    """
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    request = Request(bare, headers={"Range": "bytes=0-0"})
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {b64encode(login.encode()).decode()}")
    try:
        with urlopen(request, timeout=TIMEOUT_MS / 1000) as answer:
            return "Content-Length" in answer.headers or "Content-Range" in answer.headers
    except (OSError, ValueError, HTTPException):
        return True


def is_youtube(host: str) -> bool:
    """Whether the host serves YouTube's pages."""
    return any(host.lower() == one or host.lower().endswith(f".{one}") for one in YOUTUBE)


def _youtube(url: str, name: str) -> SourceError:
    video = parse_qs(urlsplit(url).query).get("v", [""])[0]
    page = f"{name}?v={video}" if re.fullmatch(r"[\w-]+", video, re.ASCII) else name
    return SourceError(
        name,
        "a YouTube page, not a video",
        "Fetch the video with yt-dlp (pip install yt-dlp): "
        f"yt-dlp -f mp4 -o video.mp4 {quote(page)}, then count video.mp4",
    )


def redact(url: str) -> str:
    """The URL without user name, password, query and fragment, for messages.

    A password may itself hold / or ?, so everything up to the last @ is removed.
    """
    scheme, _, rest = url.partition("://")
    shown = rest.rpartition("@")[2]
    for mark in "?#":
        shown = shown.partition(mark)[0]
    return f"{scheme}://{shown}"


def _no_camera(name: str) -> UnavailableError:
    return UnavailableError(
        f"{name} cannot be opened",
        "Check that it is connected and not used by another program, or try another number",
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
        Prefetch(
            reader,
            warnings,
            depth=1,
            drop_oldest=True,
            closing=reader.health.closing,
            unchanged=fails_at_interlaced(cv2),
        ),
        name=name,
        size=(width, height),
        fps=frame_rate(cv2, capture),
        live=True,
        warnings=warnings,
        epoch_ns=reader.epoch_ns,
    )


def _own_time(cv2: Any, name: str) -> Callable[[Any], float] | None:
    """Reads the sender's clock, which RTSP has; over HTTP, FFmpeg only guesses times."""
    if not name.lower().startswith("rtsp"):
        return None
    return lambda capture: float(capture.get(cv2.CAP_PROP_POS_MSEC))
