"""The sweep: what a crash left half done is completed, and what has expired is deleted."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from . import audit
from .clock import DAY, now_us
from .database import Database
from .identifiers import LENGTH, with_prefix
from .job_queue import wake
from .sign_in import guessing, sessions
from .storage import FolderStorage, Storage
from .tables import checkpoints, idempotency, jobs, uploads, usage, videos
from .uploads import Uploads
from .webhooks import delivery_queue

log = logging.getLogger("tallylens.jobs")
EVERY_S = 60.0
# A file without a row may belong to a transaction that is under way.
ORPHAN_S = 3600.0
BATCH = 500


class Sweep:
    """Sweeps once at start and then each minute; safe in several processes at once."""

    def __init__(
        self, database: Database, folder: FolderStorage, storage: Storage, upload: Uploads
    ) -> None:
        self._database, self._folder, self._storage = database, folder, storage
        self._uploads = upload

    async def run(self) -> None:
        """Sweep until canceled."""
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("fault while sweeping")
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> None:
        """Sweep once."""
        await self._complete_uploads()
        for upload in await self._database.call(_expired_uploads):
            await asyncio.to_thread(self._folder.delete, upload)
        for video in await self._database.call(_expired_videos):
            await self.delete_video(video)
        await self._database.call(_tidy)
        await self._delete_orphans()

    async def _complete_uploads(self) -> None:
        """Make the jobs of complete files, where a process ended before it could."""
        for row in await self._database.call(_all_uploads):
            try:
                size = await asyncio.to_thread(self._size, row)
            except FileNotFoundError:
                continue
            if size == row.length:
                log.info("completing an upload", extra={"upload": row.id})
                await self._uploads.complete(row)

    def _size(self, row: Row[Any]) -> int:
        return self._folder.path(row.id).stat().st_size

    async def delete_video(self, video: str) -> None:
        """Delete a video with its jobs, reports and file; what was used stays used."""
        drawn = await self._database.call(delete_rows, video)
        for name in (video, *drawn):
            await asyncio.to_thread(self._storage.delete, name)

    async def _delete_orphans(self) -> None:
        """Delete files without a row."""
        files = await asyncio.to_thread(self._old_files)
        for start in range(0, len(files), BATCH):
            names = files[start : start + BATCH]
            known = await self._database.call(_known, names)
            for name in set(names) - known:
                log.info("deleting a file without a row", extra={"file": name})
                await asyncio.to_thread(self._folder.delete, name)

    def _old_files(self) -> list[str]:
        oldest = time.time() - ORPHAN_S
        return [
            path.name
            for path in self._folder.folder.iterdir()
            if len(path.name) == LENGTH and path.stat().st_mtime < oldest
        ]


def delete_rows(connection: Connection, video: str) -> list[str]:
    """Delete the rows of a video: its jobs, checkpoints and reports with it.

    Returns the ids of the jobs that have a file: the annotated video.
    """
    listed = connection.execute(sa.select(jobs).where(jobs.c.video == video)).all()
    for job in listed:
        # Frames that were counted are used, whatever becomes of the job.
        state = "settled" if job.frames else "released"
        connection.execute(
            sa.update(usage)
            .where(usage.c.job == job.id, usage.c.state == "reserved")
            .values(state=state, frames=job.frames)
        )
    connection.execute(sa.delete(videos).where(videos.c.id == video))
    for job in listed:
        wake(connection, job.id)
    return [job.id for job in listed if job.kind == "annotate"]


def _all_uploads(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(sa.select(uploads)))


def _expired_uploads(connection: Connection) -> list[str]:
    query = sa.delete(uploads).where(uploads.c.expires < now_us()).returning(uploads.c.id)
    return list(connection.scalars(query))


def _expired_videos(connection: Connection) -> list[str]:
    query = sa.select(videos.c.id).where(videos.c.expires < now_us()).limit(BATCH)
    return list(connection.scalars(query))


def _tidy(connection: Connection) -> None:
    """Delete rows that nothing needs any more, and wake jobs whose model job is gone."""
    connection.execute(sa.delete(idempotency).where(idempotency.c.created < now_us() - DAY))
    ended = sa.select(jobs.c.id).where(jobs.c.state.in_(("done", "failed", "cancelled")))
    connection.execute(sa.delete(checkpoints).where(checkpoints.c.job.in_(ended)))
    for forget in (
        sessions.forget_expired,
        guessing.forget_old,
        audit.forget_old,
        delivery_queue.forget_old,
    ):
        forget(connection)
    active = sa.select(jobs.c.id).where(jobs.c.state.in_(("queued", "running")))
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.state == "queued", jobs.c.same_as.is_not(None))
        .where(jobs.c.same_as.not_in(active.scalar_subquery()))
        .values(same_as=None, not_before=0)
    )


def _known(connection: Connection, names: list[str]) -> set[str]:
    """Those of the file names to which a video or an upload belongs."""
    found: set[str] = set()
    for table, prefix in ((videos, "vid"), (uploads, "upl"), (jobs, "job")):
        ids = [with_prefix(prefix, name) for name in names]
        query = sa.select(table.c.id).where(table.c.id.in_(ids))
        found |= {row[-LENGTH:] for row in connection.scalars(query)}
    return found
