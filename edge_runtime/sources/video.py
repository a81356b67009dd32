"""Video files: all frames, with the timestamps of the container."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SourceError
from ..types import Frame, Image, PlanarFrame, YuvPlanes
from .opencv import MAX_PIXELS, fails_at_interlaced, ffmpeg_or_any, is_text, load_cv2
from .prefetch import Prefetch
from .pyav import AvCapture, load_av, open_av
from .source import Source

FALLBACK_FPS = 25.0
MAX_FPS = 1000.0
# Some containers hold no frame count; FFmpeg then rounds it from the duration.
COUNT_TOLERANCE = 1
TEXT_PROBE_BYTES = 512
PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"v=0")
EXACT_START = 1 << 20
MAX_BOXES = 1000
# Reads after a failed one, as far as the container announces more frames.
MAX_ATTEMPTS = 100
# Codecs that some builds of OpenCV cannot decode, by the code of the container.
CODECS = {
    **dict.fromkeys(("av01",), "AV1"),
    **dict.fromkeys(("hevc", "hev1", "hvc1", "h265"), "HEVC (H.265)"),
    **dict.fromkeys(("vvc1", "vvi1"), "VVC (H.266)"),
    **dict.fromkeys(("vp90", "vp09"), "VP9"),
    **dict.fromkeys(("apch", "apcn", "apcs", "apco", "ap4h"), "ProRes"),
}
CUT_OFF = "the file ends before its index (moov), as if copying or recording had been cut off"
REPAIR = "Copy the file again; an unfinished recording needs a repair tool such as untrunc"
GIVE_VIDEO = "Use a video that a player can play, such as an .mp4 with H.264"


def open_video(path: Path, start: int = 0) -> Source:
    """The frames of a video file from number `start` on, rotated by its metadata.

    Raises:
        SourceError: missing, not a video, without frames, or above 100 megapixels.
    """
    name = str(path)
    _refuse_text(path)
    if not is_text(path.resolve()):
        raise SourceError(name, "the path is not valid text", "Rename the file")
    # An absolute path cannot be taken for the name of an FFmpeg protocol.
    absolute = path.resolve()
    through_av = open_av(absolute)
    if through_av is not None:
        return video_source(through_av, name, start, exact_count=through_av.exact_count)
    cv2 = load_cv2()
    capture = cv2.VideoCapture(str(absolute), ffmpeg_or_any(cv2))
    if not capture.isOpened():
        problem = "not a video, or an unsupported format"
        if lacks_index(absolute):
            raise SourceError(name, f"{problem}: {CUT_OFF}", REPAIR)
        raise SourceError(name, problem, GIVE_VIDEO)
    return video_source(capture, name, start, exact_count=counts_frames(absolute))


def lacks_index(path: Path) -> bool:
    """Whether it is an MP4 or MOV file that ends before or in its `moov` box."""
    size, position = path.stat().st_size, 0
    with path.open("rb") as file:
        for number in range(MAX_BOXES):
            file.seek(position)
            header = file.read(16)
            kind, length = header[4:8], int.from_bytes(header[:4], "big")
            if number == 0 and kind != b"ftyp":
                return False
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            if kind in (b"moov", b"moof"):
                return kind == b"moov" and position + length > size
            if length < 8 or position + length >= size:
                return True
            position += length
    return False


def counts_frames(path: Path) -> bool:
    """Whether the container counts its frames; others only give a duration, often a guess."""
    with path.open("rb") as file:
        start = file.read(EXACT_START)
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return True
    # The fragments of a fragmented MP4 are not in its index.
    return start[4:8] == b"ftyp" and b"mvex" not in start


def video_source(capture: Any, name: str, start: int = 0, *, exact_count: bool = False) -> Source:
    """The frames of an opened capture that has an end; takes ownership of the capture.

    Missing frames are reported only if the container's frame count is exact.
    """
    cv2 = load_cv2()
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    if _pixels(cv2, capture) > MAX_PIXELS:
        capture.release()
        raise SourceError(
            name,
            f"frames larger than {MAX_PIXELS // 1_000_000} megapixels",
            "Scale the video down",
        )
    fps = frame_rate(cv2, capture)
    total = frame_count(cv2, capture)
    warnings: list[str] = []
    codec = _unusual_codec(cv2, capture)
    counted = total if exact_count else None
    reader = VideoReader(capture, name, fps, counted, warnings, start, codec=codec)
    unchanged = fails_at_interlaced(cv2) and not isinstance(capture, AvCapture)
    return Source(
        Prefetch(reader, warnings, unchanged=unchanged),
        name=name,
        size=reader.size,
        frames_total=total,
        fps=fps,
        warnings=warnings,
    )


def frame_rate(cv2: Any, capture: Any) -> float | None:
    """Frames per second; None if the container has no plausible rate."""
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    return rate if math.isfinite(rate) and 0 < rate <= MAX_FPS else None


def frame_count(cv2: Any, capture: Any) -> int | None:
    """The number of frames by the container; None if it has none."""
    count = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return int(count) if 0 < count < 2**40 else None


def _unusual_codec(cv2: Any, capture: Any) -> str | None:
    """The name of a codec that OpenCV may lack, None for others."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    return CODECS.get(code.to_bytes(4, "little").decode("latin-1").lower())


def _undecodable(name: str, codec: str | None) -> SourceError:
    if codec is None:
        return SourceError(name, "no frame can be decoded", GIVE_VIDEO)
    remedy = "Convert it to H.264, for example with ffmpeg -i VIDEO -c:v libx264 NEW.mp4"
    if load_av() is None:
        remedy = f"Install its decoder with: pip install 'tallylens[video]'. {remedy}"
    return SourceError(name, f"no frame of its codec, {codec}, can be decoded", remedy)


def _pixels(cv2: Any, capture: Any) -> float:
    width = float(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    return width * float(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def _refuse_text(path: Path) -> None:
    """Refuse playlists, whatever their name: FFmpeg would open other files and hosts."""
    try:
        with path.open("rb") as file:
            start = file.read(TEXT_PROBE_BYTES)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise SourceError(path, reason, "Check the path and its permissions") from error
    if not start:
        raise SourceError(path, "the file is empty", GIVE_VIDEO)
    binary = any(byte < 32 and byte not in b"\t\r\n\f" for byte in start)
    if not binary or start.startswith(PLAYLISTS):
        raise SourceError(path, "a text file, not a video", GIVE_VIDEO)


class VideoReader:
    """Reads a video frame by frame, the first already decoded; see `Reader`.

    Frames before number `start` are skipped one by one: seeking does not land exactly on a frame,
    and times that the container lacks depend on all frames before.
    """

    dropped = 0

    def __init__(
        self,
        capture: Any,
        name: str,
        fps: float | None,
        total: int | None,
        warnings: list[str],
        start: int = 0,
        *,
        codec: str | None = None,
    ) -> None:
        self._cv2 = load_cv2()
        self._capture = capture
        self._total = total
        self._warnings = warnings
        self._period_ns = round(1e9 / (fps or FALLBACK_FPS))
        self._previous_ns = -1
        self._index = 0
        self._guessed = 0
        self._first = self._decode()
        if self._first is None:
            capture.release()
            raise _undecodable(name, codec)
        self.size = self._first.size
        self._start = start
        if start:
            self._first = None

    def read(self) -> Frame | None:
        """The next frame; None after the last, with a warning if frames are missing."""
        self._skip()
        frame = self._first or self._decode()
        self._first = None
        if frame is None:
            self._report()
        return frame

    def _skip(self) -> None:
        while self._index < self._start and self._capture.grab():
            self._timestamp_ns()
            self._index += 1
        self._start = 0

    def close(self) -> None:
        """Release the file."""
        self._capture.release()

    def _decode(self) -> Frame | None:
        image = self._next()
        if image is None:
            image = self._past_damage()
        if image is None:
            return None
        timestamp_ns, index = self._timestamp_ns(), self._index
        self._index += 1
        if isinstance(image, YuvPlanes):
            return PlanarFrame(image, timestamp_ns, index)
        return Frame(image, timestamp_ns, index)

    def _next(self) -> Image | YuvPlanes | None:
        if isinstance(self._capture, AvCapture):
            return self._capture.picture()
        return decode_next(self._cv2, self._capture)

    def _past_damage(self) -> Image | YuvPlanes | None:
        """The first frame after damaged ones, None if there is none."""
        announced = (self._total or 0) - COUNT_TOLERANCE
        for _ in range(min(MAX_ATTEMPTS, announced - self._index) if self._index else 0):
            image = self._next()
            if image is not None:
                return image
        return None

    def _timestamp_ns(self) -> int:
        """The container's time if it increases, else one frame period after the previous frame."""
        shown_ms = float(self._capture.get(self._cv2.CAP_PROP_POS_MSEC))
        timestamp_ns = round(shown_ms * 1e6) if math.isfinite(shown_ms) else -1
        if timestamp_ns <= self._previous_ns:
            self._guessed += 1
            first = self._previous_ns < 0
            timestamp_ns = 0 if first else self._previous_ns + self._period_ns
        self._previous_ns = timestamp_ns
        return timestamp_ns

    def _report(self) -> None:
        if self._total and self._index < self._total - COUNT_TOLERANCE:
            self._warnings.append(self._missing(self._total))
        if self._guessed:
            self._warnings.append(
                f"{self._guessed} frames have no valid time in the video; their times were "
                "computed from the frame rate"
            )

    def _missing(self, total: int) -> str:
        lost = total - self._index
        last_ns = (total - 1 - COUNT_TOLERANCE) * self._period_ns
        if self._previous_ns >= last_ns - self._period_ns:
            return f"{lost} of the {total} frames could not be decoded; the video is damaged"
        return f"the video is cut off after {self._index} of its {total} frames"


def decode_next(cv2: Any, capture: Any) -> Image | None:
    """The next frame as contiguous (height, width, 3) uint8 BGR; None at the end."""
    try:
        found, image = capture.read()
    except cv2.error:
        return None
    return np.ascontiguousarray(image, np.uint8) if found else None
