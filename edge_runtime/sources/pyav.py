"""Video files through PyAV (the optional extra `video`), with the interface of `cv2.VideoCapture`.

PyAV decodes what OpenCV's build may not: AV1, interlaced video with OpenCV 5.0.0. Its pixels are
those of OpenCV, bit for bit, where BGR is asked for; the detector reads the planes themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..types import Image, YuvPlanes
from .opencv import load_cv2

# FFmpeg's AVCOL_RANGE_JPEG and AVCOL_SPC_BT709; what a file does not say is video range, BT.601.
FULL_RANGE, BT709 = 2, 1


def load_av() -> Any | None:
    """The av module, None where the extra `video` is not installed."""
    try:
        import av
    except ImportError:
        return None
    return av


def open_av(path: Path) -> AvCapture | None:
    """The opened file; None without PyAV, or for a file that it does not open."""
    av = load_av()
    if av is None:
        return None
    try:
        # Only files: a container can name others, and hosts.
        container = av.open(str(path), options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError):
        return None
    if not container.streams.video:
        container.close()
        return None
    return AvCapture(av, container)


class AvCapture:
    """The part of `cv2.VideoCapture` that a `VideoReader` uses.

    Attributes:
        exact_count: the container counts its frames, so that missing ones are known.
        damaged: packets so far that could not be decoded.
    """

    def __init__(self, av: Any, container: Any) -> None:
        cv2 = load_cv2()
        self._av = av
        self._container = container
        self._stream = stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        self.exact_count = stream.frames > 0
        self.damaged = 0
        self._frame: Any = None
        self._frames = self._decode()
        tag = stream.codec_context.codec_tag.encode("latin-1", "replace")[:4].ljust(4, b"\0")
        self._values: dict[int, float] = {
            cv2.CAP_PROP_FPS: float(stream.average_rate or stream.guessed_rate or 0),
            cv2.CAP_PROP_FRAME_COUNT: self._count(),
            cv2.CAP_PROP_FRAME_WIDTH: stream.codec_context.width,
            cv2.CAP_PROP_FRAME_HEIGHT: stream.codec_context.height,
            cv2.CAP_PROP_FOURCC: int.from_bytes(tag, "little"),
        }
        self._position = cv2.CAP_PROP_POS_MSEC

    def get(self, key: int) -> float:
        """A property of the video, or the time of the last frame in milliseconds."""
        return self._shown_ms() if key == self._position else self._values.get(key, 0.0)

    def set(self, key: int, value: float) -> bool:
        """Nothing can be set: frames are always turned by the metadata."""
        del key, value
        return False

    def grab(self) -> bool:
        """Decode the next frame without converting it; False at the end."""
        self._frame = next(self._frames, None)
        return self._frame is not None

    def read(self) -> tuple[bool, Image | None]:
        """The next frame as (height, width, 3) uint8 BGR, turned by its metadata."""
        if not self.grab():
            return False, None
        return True, _bgr(self._frame)

    def picture(self) -> Image | YuvPlanes | None:
        """The next frame: its planes as the decoder holds them, or BGR where the core does not
        read its format; None at the end.
        """
        if not self.grab():
            return None
        planes = _planes(self._frame)
        return _bgr(self._frame) if planes is None else planes

    def release(self) -> None:
        """Close the file."""
        self._frames = iter(())
        self._container.close()

    def _decode(self) -> Iterator[Any]:
        """All frames; a packet that is damaged is counted and passed over."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
            except self._av.FFmpegError:
                self.damaged += 1
                return
            try:
                yield from packet.decode()
            except self._av.FFmpegError:
                self.damaged += 1

    def _shown_ms(self) -> float:
        if self._frame is None or self._frame.pts is None:
            return math.nan
        start = self._stream.start_time or 0
        return 1000 * float((self._frame.pts - start) * self._frame.time_base)

    def _count(self) -> float:
        """The container's number of frames, or an estimate from its duration."""
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate
        if stream.frames or not stream.duration or not rate:
            return float(stream.frames)
        return float(round(stream.duration * stream.time_base * rate))


def _quarters(frame: Any) -> int:
    """Quarter turns against the clock that turn the frame upright."""
    return round(int(frame.rotation) / 90) % 4


def _bgr(frame: Any) -> Image:
    image: Image = frame.to_ndarray(format="bgr24")
    return np.ascontiguousarray(np.rot90(image, _quarters(frame)))


def _planes(frame: Any) -> YuvPlanes | None:
    """The planes of an 8-bit 4:2:0 frame without a copy; None for other formats."""
    form = frame.format.name
    half = (frame.width + 1) // 2, (frame.height + 1) // 2
    if form in ("yuv420p", "yuvj420p"):
        u, v = (_rows(plane, *half) for plane in frame.planes[1:])
    elif form == "nv12":
        pairs = _rows(frame.planes[1], 2 * half[0], half[1])
        u, v = pairs[:, ::2], pairs[:, 1::2]
    else:
        return None
    return YuvPlanes(
        _rows(frame.planes[0], frame.width, frame.height),
        u,
        v,
        to_bgr=partial(_bgr, frame),
        rotation=-90 * _quarters(frame) % 360,
        full_range=form == "yuvj420p" or int(frame.color_range) == FULL_RANGE,
        matrix="BT.709" if int(frame.colorspace) == BT709 else "BT.601",
    )


def _rows(plane: Any, width: int, height: int) -> Image:
    """The samples of a plane, whose memory is the frame's."""
    samples = np.frombuffer(plane, np.uint8)
    return samples[: height * plane.line_size].reshape(height, plane.line_size)[:, :width]
