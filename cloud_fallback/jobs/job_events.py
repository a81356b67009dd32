"""Functions that are called in the transaction in which a job ends or becomes late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from sqlalchemy import Connection

from .webhooks.events import insert_deliveries

JobEvent = Literal["job.done", "job.failed", "job.cancelled", "job.late"]
JobHook = Callable[[Connection, str, JobEvent], None]

HOOKS: tuple[JobHook, ...] = (insert_deliveries,)
"""Called with the job's id, in the transaction that changes the job: both happen, or neither."""


def tell(connection: Connection, job: str, event: JobEvent) -> None:
    """Call all hooks."""
    for hook in HOOKS:
        hook(connection, job, event)
