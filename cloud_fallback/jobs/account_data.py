"""All data of one account: as an archive, and deleted."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from . import audit
from .clock import rfc3339
from .database import Database
from .storage import Storage, StorageGoneError
from .tables import (
    accounts,
    api_keys,
    deliveries,
    feedback,
    jobs,
    payment_events,
    reports,
    sessions,
    uploads,
    usage,
    videos,
    webhooks,
)
from .tables import audit as audit_table

SECRET = frozenset({"password", "sha256", "secret", "old_secret", "token_sha256", "csrf"})
"""Columns that no archive holds; `sha256` is a key's, that of a video is kept."""
TIMES = frozenset(
    {"created", "verified", "expires", "started", "finished", "deadline", "used", "happened"}
    | {"plan_since", "plan_until", "next_at", "disabled", "old_secret_until"}
)
OF_ACCOUNT = (sessions, api_keys, uploads, videos, jobs, usage, webhooks, feedback, payment_events)
BLOCK_BYTES = 1 << 20


class _Pipe(io.RawIOBase):
    """Takes what an archive writes, to be sent at once."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def export(database: Database, storage: Storage, account: str) -> Iterator[bytes]:
    """An archive (ZIP) of all that is stored of an account, in parts; run in a thread.

    It holds a JSON file for each table, each report in its forms, and the files of the videos.
    """
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        for name, listed in database.run(_tables, account).items():
            archive.writestr(f"{name}.json", json.dumps(listed, indent=2) + "\n")
            yield pipe.take()
        for job in database.run(_ids, jobs, account):
            for form, text in database.run(_report, job).items():
                archive.writestr(f"reports/{job}.{form}", text)
            yield pipe.take()
        for video in database.run(_ids, videos, account):
            yield from _file(archive, pipe, storage, video)
    yield pipe.take()


def _file(archive: zipfile.ZipFile, pipe: _Pipe, storage: Storage, video: str) -> Iterator[bytes]:
    try:
        with (
            storage.local(video) as path,
            path.open("rb") as file,
            # Videos are compressed already.
            archive.open(zipfile.ZipInfo(f"videos/{video}"), "w", force_zip64=True) as target,
        ):
            while block := file.read(BLOCK_BYTES):
                target.write(block)
                yield pipe.take()
    except (FileNotFoundError, StorageGoneError) as error:
        archive.writestr(f"videos/{video}.missing.txt", f"the file is not there: {error}\n")
    yield pipe.take()


def delete_account(connection: Connection, account: str, address: str) -> list[str]:
    """Delete the rows of an account; returns the videos and uploads whose files are left.

    The audit log is kept, without anything else of the account.
    """
    files = [*_ids(connection, videos, account), *_ids(connection, uploads, account)]
    connection.execute(sa.delete(accounts).where(accounts.c.id == account))
    audit.note(connection, "account.deleted", account, address=address)
    return files


def _ids(connection: Connection, table: sa.Table, account: str) -> list[str]:
    return list(connection.scalars(sa.select(table.c.id).where(table.c.account == account)))


def _report(connection: Connection, job: str) -> dict[str, str]:
    row = connection.execute(sa.select(reports).where(reports.c.job == job)).one_or_none()
    return {} if row is None else {"json": row.document, **json.loads(row.files)}


def _tables(connection: Connection, account: str) -> dict[str, list[dict[str, Any]]]:
    """{name of a table: its rows of the account}."""
    queries = {one.name: sa.select(one).where(one.c.account == account) for one in OF_ACCOUNT}
    queries["accounts"] = sa.select(accounts).where(accounts.c.id == account)
    queries["audit"] = sa.select(audit_table).where(audit_table.c.account == account)
    queries["deliveries"] = (
        sa.select(deliveries)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook)
        .where(webhooks.c.account == account)
    )
    return {
        name: [_document(name, row) for row in connection.execute(query)]
        for name, query in queries.items()
    }


def _document(table: str, row: Row[Any]) -> dict[str, Any]:
    hidden = SECRET - {"sha256"} if table == "videos" else SECRET
    return {
        name: rfc3339(value) if name in TIMES else value
        for name, value in row._mapping.items()
        if name not in hidden
    }
