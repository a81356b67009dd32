"""The labeled set of an account: its corrections as CSV, with the frames that they name.

The archive is sent while it is made, so that its size does not matter to the server's memory.
"""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import asdict, fields

from .database import Database
from .feedback import LabeledCount, labeled
from .frame_images import FrameImages
from .storage import Storage, StorageGoneError

PAGE = 100
COLUMNS = [*(field.name for field in fields(LabeledCount)), "image"]
README = """labels.csv has one row for each correction.

counted   number of objects of the class in the report
right     number of objects of the class, by the user
frame     index of a frame where the count goes wrong, from 0; empty if unknown
image     that frame, in this archive; empty without a frame, or if the video is deleted
"""


class _Pipe(io.RawIOBase):
    """Takes what a `ZipFile` writes, to be sent on."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        block = bytes(data)  # type: ignore[call-overload]
        self._written += block
        return len(block)

    def take(self) -> bytes:
        """The bytes written since the last call."""
        block = bytes(self._written)
        self._written.clear()
        return block


async def archive(database: Database, storage: Storage, account: str) -> AsyncIterator[bytes]:
    """The zip file of an account's corrections, in blocks."""
    pipe, images = _Pipe(), FrameImages()
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    try:
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("README.txt", README)
            after = ""
            while rows := await database.call(labeled, account, after, PAGE):
                after = rows[-1].id
                for row in rows:
                    image = await asyncio.to_thread(_image, storage, images, row)
                    name = f"frames/{row.id}.jpg" if image else ""
                    if image:
                        file.writestr(zipfile.ZipInfo(name), image)
                    writer.writerow({**asdict(row), **_safe(row), "image": name})
                    yield pipe.take()
            file.writestr("labels.csv", table.getvalue())
        yield pipe.take()
    finally:
        await asyncio.to_thread(images.close)


def _image(storage: Storage, images: FrameImages, row: LabeledCount) -> bytes:
    """The frame of a correction as a JPEG; empty without one."""
    if row.frame is None:
        return b""
    try:
        with storage.local(row.video) as path:
            return images.jpeg(path, row.frame)
    except (FileNotFoundError, StorageGoneError):
        return b""


def _safe(row: LabeledCount) -> dict[str, str]:
    """Texts of users, without what a spreadsheet would take for a formula."""
    texts = {"name": row.name, "class_name": row.class_name, "note": row.note}
    return {
        key: f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text
        for key, text in texts.items()
    }
