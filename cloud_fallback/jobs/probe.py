"""The probe of a video: what its container says, read in a process with strict limits.

`python -m tallylens.cloud_fallback.jobs.probe` reads paths and prints JSON documents; each file is
read in a process of its own, forked from the one that has loaded FFmpeg already. Packets are
counted, not decoded, so that a small file cannot claim much memory or time. The file is opened with
the protocol `file` only, and only by the readers of the containers below, none of which opens other
files.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

# Of the containers: MP4 and MOV, Matroska and WebM, AVI, MPEG transport streams.
DEMUXERS = "mov,matroska,avi,mpegts"
CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mjpeg", "mpeg4")
ADDRESS_SPACE = 1 << 30
PROCESSOR_S = 10
OPEN_FILES = 32
MAX_ANSWER = 4096
TOO_MUCH = "the file takes too much memory or time to read"


@dataclass(frozen=True)
class Probed:
    """Facts about the first video stream of a file.

    Args:
        frames: number of packets, which is that of frames.
        seconds: from the first frame to the end of the last.
        width, height: in pixels, as stored.
        rotation: degrees by which players turn it.
        fps: frames per second on average.
    """

    container: str
    codec: str
    frames: int
    seconds: float
    width: int
    height: int
    rotation: int
    fps: float

    def to_json(self) -> str:
        """The JSON document."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Probed:
        """The probe whose `to_json` gave `text`."""
        return cls(**json.loads(text))


class RefusedVideoError(Exception):
    """The file cannot be counted; the message says why, for its user."""


def probe(path: Path, max_frames: int) -> Probed:
    """Read the container of a video, in this process.

    Raises:
        RefusedVideoError: not a video, of an unsupported kind, or with more frames.
    """
    import av

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file", "enable_drefs": "0"}
    try:
        with av.open(str(path), options=options) as container:
            return _of(container, max_frames)
    except (av.error.FFmpegError, ValueError, UnicodeError) as error:
        raise RefusedVideoError("the file is not a video of a supported format") from error


def _of(container: Any, max_frames: int) -> Probed:
    streams = [
        one for one in container.streams.video if not int(one.disposition) & ATTACHED_PICTURE
    ]
    if not streams:
        raise RefusedVideoError("the file has no video stream")
    stream = streams[0]
    if min(stream.codec_context.width, stream.codec_context.height) < 1:
        # FFmpeg refuses frames of more than it can address.
        raise RefusedVideoError("the frames of the video have no valid size")
    codec = stream.codec_context.name
    if codec not in CODECS:
        raise RefusedVideoError(f"videos of the codec {codec[:20]} are not supported")
    frames, first, last = 0, None, 0
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        frames += 1
        if frames > max_frames:
            raise RefusedVideoError(f"the video has more than {max_frames} frames")
        if packet.pts is not None:
            first = packet.pts if first is None else min(first, packet.pts)
            last = max(last, packet.pts + (packet.duration or 0))
    if not frames:
        raise RefusedVideoError("the video has no frames")
    seconds = float((last - (first or 0)) * (stream.time_base or Fraction(0)))
    rate = stream.average_rate or stream.guessed_rate
    fps = frames / seconds if seconds > 0 else float(rate or 0)
    context = stream.codec_context
    return Probed(
        container.format.name.partition(",")[0],
        codec,
        frames,
        round(seconds, 6),
        context.width,
        context.height,
        _rotation(stream),
        round(fps, 3),
    )


ATTACHED_PICTURE = 0x400


def _rotation(stream: Any) -> int:
    """Degrees by which players turn the image, from the stream's display matrix."""
    for side in getattr(stream, "side_data", {}).values() if hasattr(stream, "side_data") else ():
        if isinstance(side, int | float):
            return round(side) % 360
    return 0


def limit_process() -> None:
    """Bound memory, time and files of this process, and forbid it to write."""
    import resource

    for kind, value in (
        (resource.RLIMIT_AS, ADDRESS_SPACE),
        (resource.RLIMIT_CPU, PROCESSOR_S),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))


def answer(path: Path, max_frames: int) -> str:
    """The probe of a file, or why it is refused, as one line of JSON."""
    try:
        return probe(path, max_frames).to_json()
    except RefusedVideoError as error:
        return json.dumps({"refused": str(error)})


def _answer_in_child(path: Path, max_frames: int) -> str:
    """`answer` of a child process with limits; this process has read the library already."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(readable)
            limit_process()
            os.write(writable, answer(path, max_frames).encode())
        finally:
            # Whatever happened: nothing of the parent's must run here.
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        text = pipe.read(MAX_ANSWER)
    os.waitpid(child, 0)
    return text.decode() or json.dumps({"refused": TOO_MUCH})


def main() -> int:
    """Answer each line of standard input, `{"path", "max_frames"}`, with one line of output."""
    import av  # noqa: F401

    with contextlib.suppress(KeyboardInterrupt):
        for line in sys.stdin:
            asked = json.loads(line)
            path, max_frames = Path(asked["path"]), int(asked["max_frames"])
            in_child = hasattr(os, "fork")
            print((_answer_in_child if in_child else answer)(path, max_frames), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
