"""One frame of a video as a JPEG, decoded in a process with the limits of the probe.

`python -m tallylens.cloud_fallback.jobs.frame_image PATH INDEX` writes it to standard output.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

from .probe import DEMUXERS, limit_process

MAX_SIDE = 4096


def frame_jpeg(path: Path, index: int) -> bytes:
    """The frame with this index in the order of display, as stored: players may turn it.

    Raises:
        ValueError, av.error.FFmpegError: there is no such frame, or it cannot be decoded.
    """
    import av

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file", "enable_drefs": "0"}
    with av.open(str(path), options=options) as container:
        stream = container.streams.video[0]
        times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
        if not 0 <= index < len(times):
            raise ValueError(f"there is no frame {index}")
        container.seek(times[index], stream=stream, backward=True)
        for frame in container.decode(stream):
            if frame.pts is not None and frame.pts >= times[index]:
                return _jpeg(frame)
    raise ValueError(f"frame {index} cannot be decoded")


def _jpeg(frame: object) -> bytes:
    import av

    assert isinstance(frame, av.VideoFrame)
    if max(frame.width, frame.height) > MAX_SIDE:
        raise ValueError("the frame is too large")
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = frame.width, frame.height
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": "2", "qmax": "4"}
    turned = frame.reformat(format="yuvj420p")
    packets = [*encoder.encode(turned), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def main() -> int:
    """Write the frame; nothing and status 1 if that is not possible."""
    import av

    limit_process()
    try:
        image = frame_jpeg(Path(sys.argv[1]), int(sys.argv[2]))
    except (ValueError, IndexError, av.error.FFmpegError):
        return 1
    sys.stdout.buffer.write(image)
    return 0


if __name__ == "__main__":
    sys.exit(main())
