"""The queue of deliveries: a row is taken for a while, and its attempt counted before it is made.

A process that ends in between loses one attempt of the delivery, not the delivery: once that while
is over, another process takes the row.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from ..clock import DAY, SECOND, now_us
from ..tables import deliveries, webhooks
from .sender import GONE, Outcome

DELAYS_S = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 72_000)
"""Seconds before each attempt: 72 hours in all."""
SPREAD = 0.1
TAKEN_US = 60 * SECOND
KEEP_DAYS = 30
DISABLED = "the webhook is disabled"


@dataclass(frozen=True)
class Delivery:
    """A delivery that this process makes; `secrets` holds the old one too while it is valid."""

    id: str
    webhook: str
    event_id: str
    body: str
    attempt: int
    url: str
    secrets: tuple[str, ...]


def claim(connection: Connection, most: int, busy: Collection[str] = ()) -> list[Delivery]:
    """Take deliveries that are due, the longest due first.

    Args:
        busy: webhooks that have enough of this process already.
    """
    now = now_us()
    query = (
        sa.select(deliveries, webhooks.c.url, webhooks.c.secret, webhooks.c.old_secret)
        .add_columns(webhooks.c.old_secret_until)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook)
        .where(
            deliveries.c.state == "waiting",
            deliveries.c.next_at <= now,
            webhooks.c.disabled.is_(None),
            deliveries.c.webhook.not_in(list(busy)),
        )
        .order_by(deliveries.c.next_at, deliveries.c.id)
        .limit(most)
        .with_for_update(skip_locked=True, of=deliveries)
    )
    found = []
    for row in connection.execute(query).all():
        connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.id == row.id)
            .values(attempt=row.attempt + 1, next_at=now + TAKEN_US)
        )
        keys: tuple[str, ...] = (row.secret,)
        if row.old_secret is not None and (row.old_secret_until or 0) > now:
            keys += (row.old_secret,)
        found.append(
            Delivery(row.id, row.webhook, row.event_id, row.body, row.attempt + 1, row.url, keys)
        )
    return found


def record(connection: Connection, delivery: Delivery, outcome: Outcome) -> None:
    """Write what became of an attempt, and when the next one is."""
    values: dict[str, object] = {"status": outcome.status, "answer": outcome.answer}
    if outcome.delivered:
        values.update(state="delivered", next_at=None)
    elif outcome.status == GONE or delivery.attempt >= len(DELAYS_S):
        values.update(state="failed", next_at=None)
    else:
        delay_s = DELAYS_S[delivery.attempt] * random.uniform(1 - SPREAD, 1 + SPREAD)
        values.update(next_at=now_us() + int(delay_s * SECOND))
    connection.execute(
        sa.update(deliveries)
        .where(
            deliveries.c.id == delivery.id,
            deliveries.c.attempt == delivery.attempt,
            deliveries.c.state == "waiting",
        )
        .values(**values)
    )
    if outcome.status == GONE:
        disable(connection, delivery.webhook)


def disable(connection: Connection, webhook: str) -> None:
    """Disable a webhook; what waits for it is not delivered."""
    connection.execute(
        sa.update(webhooks)
        .where(webhooks.c.id == webhook, webhooks.c.disabled.is_(None))
        .values(disabled=now_us())
    )
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.webhook == webhook, deliveries.c.state == "waiting")
        .values(state="failed", next_at=None, answer=DISABLED)
    )


def again(connection: Connection, delivery: str) -> None:
    """Deliver once more, from the first attempt on."""
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == delivery)
        .values(state="waiting", attempt=0, next_at=now_us(), status=None, answer=None)
    )


def forget_old(connection: Connection) -> None:
    """Delete deliveries that ended long ago."""
    oldest = now_us() - KEEP_DAYS * DAY
    connection.execute(
        sa.delete(deliveries).where(deliveries.c.created < oldest, deliveries.c.state != "waiting")
    )
