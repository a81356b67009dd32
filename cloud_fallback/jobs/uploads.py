"""Uploads: from the announcement of a file to a video and its job (tus 1.0).

See https://tus.io/protocols/resumable-upload; the extensions are creation, termination, expiration.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from sqlalchemy import Row

from .accounts import Account
from .announcement import Announced
from .clock import DAY, now_us
from .database import Database, DatabaseGoneError
from .identifiers import new_id, with_prefix
from .plans import Plans
from .problems import ProblemError, not_found
from .storage import FolderStorage, Storage, StorageGoneError, reserve_bytes
from .upload_file import BLOCK_BYTES, BusyFileError, DiskFullError, UploadFile, make_file
from .upload_rows import (
    complete_upload,
    delete_upload,
    find_upload,
    insert_upload,
    length_of_video,
)

log = logging.getLogger("tallylens.jobs")
LIFE_US = DAY
IDLE_S = 30.0


class Uploads:
    """The uploads of one process; files are in a folder that processes share, or its own.

    Args:
        database: of the rows.
        folder: of the files that arrive.
        storage: of complete files: the same folder, or an object store.
        model_sha256: the model that counts what is uploaded.
        plans: of accounts, which say how long a video is kept.
    """

    def __init__(
        self,
        database: Database,
        folder: FolderStorage,
        storage: Storage,
        model_sha256: str,
        plans: Plans,
    ) -> None:
        self._database, self._folder, self._model = database, folder, model_sha256
        self._storage, self._plans = storage, plans
        self._completing: set[asyncio.Task[None]] = set()
        self._at_work: dict[str, asyncio.Task[Any]] = {}

    async def create(self, account: Account, given: Announced) -> tuple[str, int]:
        """The id of a new upload, and when it expires.

        Raises:
            ProblemError: 507 with too little disk, 402 or 429 beyond the plan.
        """
        free = await asyncio.to_thread(self._folder.free_bytes)
        if free < given.length + reserve_bytes():
            raise ProblemError(
                507, "the server's disk has too little space", "Try again later", retry_s=60
            )
        upload, expires = new_id("upl"), now_us() + LIFE_US
        await self._database.call(insert_upload, account, upload, given, expires)
        await asyncio.to_thread(make_file, self._folder.path(upload))
        return upload, expires

    async def find(self, account: Account, upload: str) -> tuple[Row[Any] | None, int]:
        """The row of an open upload and its offset; no row and its length once it is complete.

        Raises:
            ProblemError: there is none, or it is another account's.
        """
        row = await self._database.call(find_upload, account.id, upload)
        if row is None:
            length = await self._database.call(length_of_video, account.id, upload)
            return None, length
        try:
            size = await asyncio.to_thread(lambda: self._folder.path(upload).stat().st_size)
        except FileNotFoundError:
            raise not_found("upload") from None
        return row, size

    async def append(
        self, account: Account, upload: str, offset: int, blocks: AsyncIterator[bytes]
    ) -> int:
        """Append what a client sends; returns the new offset. The last byte makes the job.

        A second request for the same upload ends the first: its connection is probably dead.

        Raises:
            ProblemError: 404, 409 for another offset, 413 beyond the length, 423 if another process
                is at it, 507 if the disk is full.
        """
        row, size = await self.find(account, upload)
        if row is None:
            raise ProblemError(409, f"the upload is complete at {size} bytes", "Send no more")
        async with self._alone(upload):
            try:
                file = await asyncio.to_thread(UploadFile, self._folder.path(upload))
            except BusyFileError:
                raise ProblemError(
                    423, "another request sends this upload", "Try again", retry_s=1
                ) from None
            except FileNotFoundError:
                raise not_found("upload") from None
            try:
                if file.offset != offset:
                    raise ProblemError(
                        409,
                        f"the upload is at {file.offset} bytes, not at {offset}",
                        "Ask for Upload-Offset with HEAD",
                        headers={"upload-offset": str(file.offset)},
                    )
                await _copy(file, blocks, row.length)
            finally:
                reached = file.offset
                await asyncio.shield(asyncio.to_thread(file.close))
        if reached == row.length:
            await self._complete_soon(row)
        return reached

    async def _complete_soon(self, row: Row[Any]) -> None:
        """Complete an upload now, or, where its file must go to a store, beside the answer."""
        if self._storage is self._folder:
            await self.complete(row)
            return
        task = asyncio.create_task(self._complete_or_log(row))
        self._completing.add(task)
        task.add_done_callback(self._completing.discard)

    async def _complete_or_log(self, row: Row[Any]) -> None:
        try:
            await self.complete(row)
        except (StorageGoneError, DatabaseGoneError) as error:
            # The sweep tries again.
            log.warning("an upload waits", extra={"upload": row.id, "problem": str(error)})

    @contextlib.asynccontextmanager
    async def _alone(self, upload: str) -> AsyncIterator[None]:
        """Have the upload to this request; ends the one of this process that had it.

        Raises:
            ProblemError: 409 if another request ends this one.
        """
        current = asyncio.current_task()
        assert current is not None
        other = self._at_work.get(upload)
        self._at_work[upload] = current
        if other is not None:
            other.cancel()
            await asyncio.wait([other], timeout=5)
        try:
            yield
        except asyncio.CancelledError:
            if self._at_work.get(upload) is current:
                raise  # by the server, which ends
            current.uncancel()
            raise ProblemError(
                409, "another request sends this upload now", "Ask for Upload-Offset with HEAD"
            ) from None
        finally:
            if self._at_work.get(upload) is current:
                del self._at_work[upload]

    async def complete(self, row: Row[Any]) -> None:
        """Make the video and the job of a complete upload, once.

        Raises:
            StorageGoneError: the object store does not answer.
        """
        path, video = self._folder.path(row.id), with_prefix("vid", row.id)
        if self._storage is not self._folder:
            await asyncio.to_thread(self._storage.put, video, path)
        await self._database.call(complete_upload, row, self._model, self._plans)
        if self._storage is not self._folder:
            await asyncio.to_thread(self._folder.delete, row.id)

    async def delete(self, account: Account, upload: str) -> None:
        """End an upload and delete what has arrived.

        Raises:
            ProblemError: there is none.
        """
        row = await self._database.call(find_upload, account.id, upload)
        if row is None:
            raise not_found("upload")
        async with self._alone(upload):
            await self._database.call(delete_upload, upload)
            await asyncio.to_thread(self._folder.delete, upload)


async def _copy(file: UploadFile, blocks: AsyncIterator[bytes], length: int) -> None:
    """Append the body of a request, in blocks, off the event loop."""
    waiting = bytearray()
    try:
        async with contextlib.aclosing(_timed(blocks)) as timed:
            async for block in timed:
                if file.offset + len(waiting) + len(block) > length:
                    raise ProblemError(
                        413, f"more than the {length} bytes of Upload-Length", "Send fewer"
                    )
                waiting += block
                if len(waiting) >= BLOCK_BYTES:
                    full, waiting = bytes(waiting), bytearray()
                    await asyncio.shield(asyncio.to_thread(file.append, full))
    finally:
        # Bytes that arrived before the connection broke are kept too.
        if waiting:
            try:
                await asyncio.shield(asyncio.to_thread(file.append, bytes(waiting)))
            except DiskFullError:
                raise _full() from None


async def _timed(blocks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    while True:
        try:
            yield await asyncio.wait_for(anext(blocks), IDLE_S)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ProblemError(
                408, f"no byte for {IDLE_S:g} seconds", "Continue from Upload-Offset"
            ) from None


def _full() -> ProblemError:
    return ProblemError(
        507, "the server's disk is full", "Continue later from Upload-Offset", retry_s=60
    )
