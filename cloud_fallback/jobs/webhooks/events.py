"""Events of jobs as rows of deliveries, added in the transaction of the event."""

from __future__ import annotations

import json

import sqlalchemy as sa
from sqlalchemy import Connection

from ..clock import now_us, rfc3339
from ..identifiers import new_id
from ..tables import deliveries, jobs, webhooks
from ..views import job_document

EVENTS = ("job.done", "job.failed", "job.cancelled", "job.late")


def insert_deliveries(connection: Connection, job: str, event: str) -> None:
    """Add a delivery for each webhook of the job's account that wants this event."""
    row = connection.execute(sa.select(jobs).where(jobs.c.id == job)).one()
    listed = connection.execute(
        sa.select(webhooks.c.id, webhooks.c.events).where(
            webhooks.c.account == row.account, webhooks.c.disabled.is_(None)
        )
    ).all()
    wanting = [one.id for one in listed if not one.events or event in one.events.split(",")]
    if not wanting:
        return
    now, identifier = now_us(), new_id("evt")
    body = json.dumps({"type": event, "timestamp": rfc3339(now), "data": job_document(row)})
    connection.execute(
        sa.insert(deliveries),
        [
            {
                "id": new_id("dlv"),
                "webhook": webhook,
                "event_id": identifier,
                "event": event,
                "body": body,
                "next_at": now,
                "state": "waiting",
                "created": now,
            }
            for webhook in wanting
        ],
    )
