"""Uploads: from the announcement of a file to a video and its job (tus 1.0).

See https://tus.io/protocols/resumable-upload; the extensions are creation, termination, expiration.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from ...edge_runtime.errors import UsageError
from ...edge_runtime.text import printable
from .accounts import Account, insert_if_absent
from .clock import DAY, SECOND, now_us
from .database import Database, DatabaseGoneError
from .identifiers import new_id, with_prefix
from .job_options import JobOptions
from .plans import Plan, Plans
from .problems import ProblemError, not_found
from .quota import check_quota
from .storage import FolderStorage, Storage, StorageGoneError, reserve_bytes
from .tables import accounts, jobs, uploads, usage, videos
from .upload_file import BLOCK_BYTES, BusyFileError, DiskFullError, UploadFile, make_file

log = logging.getLogger("tallylens.jobs")
LIFE_US = DAY
IDLE_S = 30.0
MAX_NAME = 200
MAX_METADATA = 64 << 10


@dataclass(frozen=True)
class Announced:
    """A file as a client announces it, before it sends it."""

    length: int
    name: str
    options: JobOptions


def parse_metadata(header: str) -> dict[str, str]:
    """The pairs of an `Upload-Metadata` header: `key base64,key base64`.

    Raises:
        ProblemError: it is not one.
    """
    pairs: dict[str, str] = {}
    if len(header) > MAX_METADATA:
        raise _bad("Upload-Metadata is too long")
    for part in header.split(",") if header.strip() else ():
        key, _, value = part.strip().partition(" ")
        try:
            text = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise _bad("Upload-Metadata is not valid base64 of UTF-8") from error
        if not key or not key.isascii() or key in pairs:
            raise _bad("Upload-Metadata has an empty key, or one twice")
        pairs[key] = text
    return pairs


def clean_name(name: str) -> str:
    """The file's own name, without folders and without what a terminal or page would act on."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return printable(last, MAX_NAME).strip() or "video"


def announced(length: str | None, metadata: str, plan: Plan) -> Announced:
    """The file that the headers of a creation request announce.

    Raises:
        ProblemError: they are invalid, or beyond the plan.
    """
    if length is None or not length.isascii() or not length.isdigit() or len(length) > 15:
        raise _bad("Upload-Length is missing or not a number")
    if int(length) == 0:
        raise ProblemError(400, "the file is empty", "Choose a video")
    if int(length) > plan.video.bytes:
        raise ProblemError(
            413,
            f"the file has {int(length)} bytes, and at most {plan.video.bytes} are allowed",
            "Send a shorter video, or one with a lower bit rate",
            headers={"tus-max-size": str(plan.video.bytes)},
        )
    pairs = parse_metadata(metadata)
    try:
        options = JobOptions.parse(pairs.get("options", ""))
    except UsageError as error:
        raise ProblemError(422, error.problem, error.remedy, kind="options") from error
    return Announced(int(length), clean_name(pairs.get("filename", "")), options)


def _bad(detail: str) -> ProblemError:
    return ProblemError(400, detail, "Follow https://tus.io/protocols/resumable-upload")


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
        await self._database.call(_insert, account, upload, given, expires)
        await asyncio.to_thread(make_file, self._folder.path(upload))
        return upload, expires

    async def find(self, account: Account, upload: str) -> tuple[Row[Any] | None, int]:
        """The row of an open upload and its offset; no row and its length once it is complete.

        Raises:
            ProblemError: there is none, or it is another account's.
        """
        row = await self._database.call(_row, account.id, upload)
        if row is None:
            length = await self._database.call(_length_of_video, account.id, upload)
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
        await self._database.call(complete, row, self._model, self._plans)
        if self._storage is not self._folder:
            await asyncio.to_thread(self._folder.delete, row.id)

    async def delete(self, account: Account, upload: str) -> None:
        """End an upload and delete what has arrived.

        Raises:
            ProblemError: there is none.
        """
        row = await self._database.call(_row, account.id, upload)
        if row is None:
            raise not_found("upload")
        async with self._alone(upload):
            await self._database.call(_delete, upload)
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


def _insert(
    connection: Connection, account: Account, upload: str, given: Announced, expires: int
) -> None:
    check_quota(connection, account)
    connection.execute(
        sa.insert(uploads).values(
            id=upload,
            account=account.id,
            length=given.length,
            name=given.name,
            options=given.options.to_json(),
            created=now_us(),
            expires=expires,
        )
    )


def _row(connection: Connection, account: str, upload: str) -> Row[Any] | None:
    return connection.execute(
        sa.select(uploads).where(uploads.c.id == upload, uploads.c.account == account)
    ).one_or_none()


def _length_of_video(connection: Connection, account: str, upload: str) -> int:
    length = connection.scalar(
        sa.select(videos.c.bytes).where(
            videos.c.id == with_prefix("vid", upload), videos.c.account == account
        )
    )
    if length is None or not upload.startswith("upl_"):
        raise not_found("upload")
    return int(length)


def _delete(connection: Connection, upload: str) -> None:
    connection.execute(sa.delete(uploads).where(uploads.c.id == upload))


def complete(connection: Connection, row: Row[Any], model_sha256: str, plans: Plans) -> None:
    """Turn a complete upload into a video and a job: all at once, and once."""
    video, now = with_prefix("vid", row.id), now_us()
    options = JobOptions.parse(row.options)
    account = connection.execute(
        sa.select(accounts).where(accounts.c.id == row.account)
    ).one_or_none()
    if account is None:
        # It was deleted while its last bytes arrived.
        raise not_found("upload")
    values: dict[str, object] = {
        "id": video,
        "account": row.account,
        "name": row.name,
        "bytes": row.length,
        "state": "checking",
        "created": now,
        "expires": now + int(plans.of(account).keep_days * DAY),
    }
    if insert_if_absent(connection, videos, values):
        insert_job(
            connection, with_prefix("job", row.id), video, row.account, options, model_sha256
        )
    _delete(connection, row.id)


def insert_job(
    connection: Connection,
    job: str,
    video: str,
    account: str,
    options: JobOptions,
    model_sha256: str,
) -> None:
    """Put a new job into the queue, with its quota reserved."""
    now = now_us()
    connection.execute(
        sa.insert(jobs).values(
            id=job,
            video=video,
            account=account,
            options=options.to_json(),
            options_sha256=options.digest(),
            model_sha256=model_sha256,
            state="queued",
            deadline=now + int(options.deadline_s * SECOND),
            version=now,
            created=now,
        )
    )
    connection.execute(
        sa.insert(usage).values(job=job, account=account, state="reserved", created=now)
    )
