"""Applies payment events to accounts: each once, and none that is older than the last one."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from .. import audit
from ..clock import DAY, now_us
from ..database import insert_if_absent
from ..plans import Plans
from ..tables import accounts, payment_events
from .messages import PaymentEvent

Result = Literal["changed", "known", "older", "ignored"]


def apply(connection: Connection, provider: str, event: PaymentEvent, plans: Plans) -> Result:
    """Change the plan of the event's account, unless the event is known, older, or about nothing.

    The event is noted in any case; with its account only if it changes the plan.
    """
    values: dict[str, object] = {
        "provider": provider,
        "event_id": event.id,
        "kind": event.kind,
        "happened": event.happened,
        "created": now_us(),
    }
    if not insert_if_absent(connection, payment_events, values):
        return "known"
    row = _account(connection, event)
    if row is None or (event.plan is not None and event.plan not in plans.by_name):
        return "ignored"
    if event.happened < _last_change(connection, row.id):
        return "older"
    connection.execute(
        sa.update(payment_events)
        .where(payment_events.c.provider == provider, payment_events.c.event_id == event.id)
        .values(account=row.id)
    )
    _set_plan(connection, row, event, plans)
    name = event.plan or plans.default
    audit.note(connection, "plan.changed", row.id, detail=f"{name} by {provider} {event.id}")
    return "changed"


def _account(connection: Connection, event: PaymentEvent) -> Row[Any] | None:
    """The account of a person, locked; that of a key in a file has no plan to change."""
    return connection.execute(
        sa.select(accounts)
        .where(accounts.c.id == event.account, accounts.c.email.is_not(None))
        .with_for_update()
    ).one_or_none()


def _last_change(connection: Connection, account: str) -> int:
    query = sa.select(sa.func.max(payment_events.c.happened))
    return connection.scalar(query.where(payment_events.c.account == account)) or 0


def _set_plan(connection: Connection, row: Row[Any], event: PaymentEvent, plans: Plans) -> None:
    name, until = event.plan or plans.default, event.until
    days = plans.by_name[name].days
    if event.plan is not None and until is None and days is not None:
        until = event.happened + int(days * DAY)
    values: dict[str, object] = {"plan": name, "plan_until": until}
    if name != plans.of(row).name:
        # The quota of a new plan begins with it; a renewal does not begin it again.
        values["plan_since"] = now_us()
    connection.execute(sa.update(accounts).where(accounts.c.id == row.id).values(**values))
