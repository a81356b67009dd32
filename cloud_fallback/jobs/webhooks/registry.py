"""The webhooks of an account: made, changed, rotated, deleted, and the log of their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from .. import audit
from ..account_rows import one_of
from ..clock import DAY, now_us
from ..identifiers import new_id
from ..problems import ProblemError, not_found
from ..tables import deliveries, webhooks
from . import delivery_queue
from .addresses import AddressRules, RefusedAddressError
from .signing import new_secret

MOST = 10
OLD_SECRET_US = DAY


def check_url(rules: AddressRules, url: str) -> None:
    """Raise ProblemError (422) for a URL to which no webhook goes."""
    try:
        rules.target(url)
    except RefusedAddressError as error:
        raise ProblemError(422, str(error), "Use a public https address", kind="url") from error


def insert(
    connection: Connection, account: str, url: str, events: Sequence[str], address: str
) -> Row[Any]:
    """The row of a new webhook; no `events` stand for all.

    Raises:
        ProblemError: 409 if the account has too many.
    """
    query = sa.select(sa.func.count()).select_from(webhooks).where(webhooks.c.account == account)
    if connection.execute(query).scalar_one() >= MOST:
        raise ProblemError(409, f"the account has {MOST} webhooks", "Delete one")
    identifier = new_id("whk")
    connection.execute(
        sa.insert(webhooks).values(
            id=identifier,
            account=account,
            url=url,
            secret=new_secret(),
            events=",".join(events),
            created=now_us(),
        )
    )
    audit.note(connection, "webhook.created", account, detail=identifier, address=address)
    return find(connection, account, identifier)


def find(connection: Connection, account: str, webhook: str) -> Row[Any]:
    """The row of an account's webhook; raises ProblemError (404) if there is none."""
    return one_of(connection, webhooks, account, webhook)


def change(
    connection: Connection,
    account: str,
    webhook: str,
    address: str,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    disabled: bool | None = None,
) -> Row[Any]:
    """The row after a change; None leaves a value as it is. Raises ProblemError (404)."""
    find(connection, account, webhook)
    values: dict[str, Any] = {}
    if url is not None:
        values["url"] = url
    if events is not None:
        values["events"] = ",".join(events)
    if disabled is False:
        values["disabled"] = None
    if values:
        connection.execute(sa.update(webhooks).where(webhooks.c.id == webhook).values(**values))
    if disabled:
        delivery_queue.disable(connection, webhook)
    audit.note(connection, "webhook.changed", account, detail=webhook, address=address)
    return find(connection, account, webhook)


def rotate(connection: Connection, account: str, webhook: str, address: str) -> Row[Any]:
    """The row with a new secret, beside which the old one signs for a day."""
    row = find(connection, account, webhook)
    until = now_us() + OLD_SECRET_US
    connection.execute(
        sa.update(webhooks)
        .where(webhooks.c.id == webhook)
        .values(secret=new_secret(), old_secret=row.secret, old_secret_until=until)
    )
    audit.note(connection, "webhook.rotated", account, detail=webhook, address=address)
    return find(connection, account, webhook)


def delete(connection: Connection, account: str, webhook: str, address: str) -> None:
    """Delete a webhook with its log; raises ProblemError (404)."""
    find(connection, account, webhook)
    connection.execute(sa.delete(webhooks).where(webhooks.c.id == webhook))
    audit.note(connection, "webhook.deleted", account, detail=webhook, address=address)


def log_of(
    connection: Connection, account: str, webhook: str, limit: int, after: str | None
) -> tuple[list[Row[Any]], bool]:
    """The deliveries of a webhook, newest first, and whether more follow."""
    find(connection, account, webhook)
    query = sa.select(deliveries).where(deliveries.c.webhook == webhook)
    if after is not None:
        query = query.where(deliveries.c.id < after)
    rows = list(connection.execute(query.order_by(deliveries.c.id.desc()).limit(limit + 1)))
    return rows[:limit], len(rows) > limit


def redeliver(connection: Connection, account: str, delivery: str) -> Row[Any]:
    """The row of a delivery that begins again; raises ProblemError (404, or 409 if disabled)."""
    row = _find_delivery(connection, account, delivery)
    if row.disabled is not None:
        raise ProblemError(409, delivery_queue.DISABLED, "Enable it")
    delivery_queue.again(connection, delivery)
    return _find_delivery(connection, account, delivery)


def _find_delivery(connection: Connection, account: str, delivery: str) -> Row[Any]:
    row = connection.execute(
        sa.select(deliveries, webhooks.c.disabled)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook)
        .where(deliveries.c.id == delivery, webhooks.c.account == account)
    ).one_or_none()
    if row is None:
        raise not_found("delivery")
    return row
