"""Videos that nobody should have to count, made with PyAV."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.squares import RED, SIDE, SQUARE


def images(number: int, side: int = SIDE) -> Iterator[np.ndarray[Any, Any]]:
    """A red square that goes down, again and again; (side, side, 3) uint8 BGR."""
    for index in range(number):
        image = np.full((side, side, 3), 128, np.uint8)
        y = (index * 4) % side
        image[y : y + SQUARE, 56 : 56 + SQUARE] = RED
        yield image


def write(
    path: Path,
    number: int = 30,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    side: int = SIDE,
    times: list[int] | None = None,
    fps: int = 25,
    file_format: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A video; `times` are those of the frames in milliseconds."""
    import av

    with av.open(str(path), "w", format=file_format) as container:
        stream: Any = container.add_stream(codec, rate=fps, options=options or {})
        stream.width = stream.height = side
        stream.pix_fmt = pixels
        if times is not None:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for index, image in enumerate(images(number, side)):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pixels)
            if times is not None:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """A file with sound only."""
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_changing_size(path: Path) -> Path:
    """A transport stream of frames of 128 and then of 160 pixels."""
    first = write(path.with_suffix(".1.ts"), side=SIDE, file_format="mpegts")
    second = write(path.with_suffix(".2.ts"), side=160, file_format="mpegts")
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


def with_external_reference(path: Path, source: Path, target: Path) -> Path:
    """A MOV whose samples are in another file, `target`."""
    content = source.read_bytes()
    at = content.index(b"dref")
    # Version and flags, number of entries, then one `url ` entry with the flag "in this file".
    start = at + 4 + 8
    length = struct.unpack(">I", content[start : start + 4])[0]
    entry = content[start : start + length]
    assert entry[4:8] == b"url "
    assert length == 12
    location = f"file://{target}".encode() + b"\0"
    changed = struct.pack(">I", 12 + len(location)) + b"url " + bytes(4) + location
    grown = len(changed) - length
    content = content[:start] + changed + content[start + length :]
    return _grow_boxes(path, content, at, grown)


def _grow_boxes(path: Path, content: bytes, inside: int, grown: int) -> Path:
    """Correct the lengths of all boxes around `inside`."""
    data = bytearray(content)

    def walk(start: int, end: int) -> None:
        while start + 8 <= end:
            (length,) = struct.unpack(">I", data[start : start + 4])
            if length < 8:
                return
            if start < inside < start + length:
                data[start : start + 4] = struct.pack(">I", length + grown)
                walk(start + 8, start + length + grown)
                return
            start += length

    walk(0, len(data))
    path.write_bytes(bytes(data))
    return path


def huge(path: Path, side: int = 32_000) -> Path:
    """An AVI that says its frames are that large; there is hardly anything in it."""
    content = bytearray(write(path, 2, codec="mjpeg", pixels="yuvj420p").read_bytes())
    # The width and height of the stream's BITMAPINFOHEADER.
    at = content.index(b"strf") + 8
    content[at + 4 : at + 12] = struct.pack("<ii", side, side)
    # And of each JPEG: what follows its start-of-frame marker, length and precision.
    at = content.find(b"\xff\xc0\x00\x11\x08")
    while at >= 0:
        content[at + 5 : at + 9] = struct.pack(">HH", side, side)
        at = content.find(b"\xff\xc0\x00\x11\x08", at + 1)
    path.write_bytes(bytes(content))
    return path


PLAYLISTS = {
    "playlist.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{bait}\n#EXT-X-ENDLIST\n",
    "concat.mp4": "ffconcat version 1.0\nfile '{bait}'\n",
    "dash.mp4": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
    'type="static"><Period><AdaptationSet><Representation id="1" bandwidth="1"><BaseURL>{bait}'
    "</BaseURL></Representation></AdaptationSet></Period></MPD>\n",
    "session.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
}
"""{file name: its text}; `{bait}` is where it leads, `{port}` the port of a listener."""
