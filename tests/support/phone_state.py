"""Saved counts of the phones (Kotlin, Swift) as a store of saved counts for Python.

Big-endian: `TLCS`, format version, size of the values, CRC-32 of the rest (int32 each), then the
values compressed by zlib, as `java.io.DataOutputStream` writes them.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tallylens.edge_runtime.counting.history import History
from tallylens.edge_runtime.counting.saved_count import DOCUMENT
from tallylens.edge_runtime.counting.time_bins import TimeBins
from tallylens.edge_runtime.errors import StateError

MAGIC, VERSION = 0x544C4353, 1
HEADER = struct.Struct(">4I")
KINDS = ("confirmed", "crossed_in", "crossed_out", "entered", "left", "reclassified")


class PhoneState:
    """A file that a phone saved, or will restore; see `StateStore`.

    Args:
        path: where.
        frame_size: (width, height) of the frames that are counted.
    """

    def __init__(self, path: Path, frame_size: tuple[int, int]) -> None:
        self.path, self.frame_size = path, frame_size

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def load(self) -> dict[str, Any] | None:
        """The document that Python resumes from; None if there is no file."""
        if not self.path.is_file():
            return None
        content = self.path.read_bytes()
        magic, version, size, checksum = HEADER.unpack_from(content)
        body = content[HEADER.size :]
        if (magic, version) != (MAGIC, VERSION) or zlib.crc32(body) != checksum:
            raise StateError("it is not a saved count of a phone", self.path)
        values = zlib.decompress(body)
        if len(values) != size:
            raise StateError("it is damaged", self.path)
        reader = _Reader(values)
        document = _read(reader, self.frame_size)
        if reader.at != size:
            raise StateError("it is damaged", self.path)
        return document

    def save(self, document: dict[str, Any]) -> None:
        """Write what a phone can resume from."""
        writer = _Writer()
        _write(writer, document, self.frame_size)
        body = zlib.compress(bytes(writer.content), 9)
        header = HEADER.pack(MAGIC, VERSION, len(writer.content), zlib.crc32(body))
        self.path.write_bytes(header + body)


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, form: str) -> Any:
        """One value, or a tuple of several."""
        values = struct.unpack_from(">" + form, self.content, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    def raw(self, size: int) -> bytes:
        """So many bytes."""
        self.at += size
        return self.content[self.at - size : self.at]

    def items(self, read: Callable[[], Any]) -> list[Any]:
        """A list, after its length."""
        return [read() for _ in range(self.take("i"))]


class _Writer:
    def __init__(self) -> None:
        self.content = bytearray()

    def put(self, form: str, *values: Any) -> None:
        """Append values."""
        self.content += struct.pack(">" + form, *values)

    def items(self, items: Any, write: Callable[[Any], None]) -> None:
        """Append a list, after its length."""
        rows = list(items)
        self.put("i", len(rows))
        for row in rows:
            write(row)


def _read(reader: _Reader, frame_size: tuple[int, int]) -> dict[str, Any]:
    if reader.take("ii") != frame_size:
        raise StateError("it is of frames of another size")
    names = reader.items(lambda: reader.raw(reader.take("H")).decode())
    frames, busy, late, governor, failed = reader.take("5q")
    started, first_ns, last_ns = reader.take("?qq")
    core = reader.raw(reader.take("i"))
    seconds = reader.take("i")
    bins = reader.items(
        lambda: [reader.take("i"), dict(reader.items(lambda: _count(reader, names)))]
    )
    withheld = reader.items(lambda: _event(reader))
    returns = {
        "numbers": reader.items(lambda: list(reader.take("iq"))),
        "seen": reader.items(lambda: [*reader.take("qqi"), list(reader.take("4f"))]),
        "returns": reader.items(lambda: [reader.take("q"), list(reader.take("qiq"))]),
    }
    tally = {
        "core": base64.b64encode(core).decode(),
        "first_ns": first_ns if started else None,
        "last_ns": last_ns,
        "occupancy": {"seconds": seconds, "bins": bins},
        "withheld": withheld,
        "returns": returns,
    }
    counts: dict[str, Any] = {"frames": frames, "next_index": frames, "skipped": governor}
    dropped = busy + late + failed
    # Phones keep no history of frames.
    counts |= History(frame_size).save()
    return {**DOCUMENT, **counts, "class_names": names, "dropped": dropped, "tally": tally}


def _count(reader: _Reader, names: list[str]) -> tuple[str, int]:
    index, number = reader.take("hi")
    return names[index], number


def _event(reader: _Reader) -> list[Any]:
    seen_ns, kind, *values = reader.take("qBqqiii5f")
    return [seen_ns, KINDS[kind], *values]


def _write(writer: _Writer, document: dict[str, Any], frame_size: tuple[int, int]) -> None:
    tally, names = document["tally"], document["class_names"]
    core = base64.b64decode(tally["core"])
    writer.put("ii", *frame_size)
    writer.items(names, lambda name: _text(writer, name))
    numbers = (document["frames"], document["dropped"], 0, document["skipped"], 0)
    writer.put("5q", *numbers)
    first_ns = tally["first_ns"]
    writer.put("?qq", first_ns is not None, first_ns or 0, tally["last_ns"])
    writer.put("i", len(core))
    writer.content += core
    bins = TimeBins("max", names)
    bins.restore(tally["occupancy"])
    writer.put("i", bins.seconds)
    writer.items(bins, lambda one: _bin(writer, one, bins.seconds, names))
    writer.items(tally["withheld"], lambda one: _withheld(writer, one))
    returns = tally["returns"]
    writer.items(returns["numbers"], lambda one: writer.put("iq", *one))
    writer.items(returns["seen"], lambda one: writer.put("qqi4f", *one[:3], *one[3]))
    writer.items(returns["returns"], lambda one: writer.put("qqiq", one[0], *one[1]))


def _text(writer: _Writer, text: str) -> None:
    writer.put("H", len(text.encode()))
    writer.content += text.encode()


def _bin(
    writer: _Writer, one: tuple[float, dict[str, int]], seconds: int, names: list[str]
) -> None:
    writer.put("i", round(one[0] / seconds))
    writer.items(one[1].items(), lambda item: writer.put("hi", names.index(item[0]), item[1]))


def _withheld(writer: _Writer, one: list[Any]) -> None:
    seen_ns, kind, *values = one
    writer.put("qBqqiii5f", seen_ns, KINDS.index(kind), *values)
