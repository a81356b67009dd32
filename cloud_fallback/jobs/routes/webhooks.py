"""`/v1/webhooks` and `/v1/deliveries`: where events of jobs are sent, and what became of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Path, Request, Response
from pydantic import Field
from sqlalchemy import Connection, Row

from .. import audit
from ..accounts import AccountOf, AddressOf, VideosOf
from ..clock import DAY, now_us, rfc3339
from ..idempotency import IdempotentRoute
from ..identifiers import new_id
from ..paging import DEFAULT, After, Limit, ListingOf, link_next
from ..problems import ProblemError, not_found
from ..tables import deliveries, webhooks
from ..webhooks import delivery_queue
from ..webhooks.addresses import MAX_URL, RefusedAddressError
from ..webhooks.events import EVENTS
from ..webhooks.signing import new_secret
from .accounts import Body

router = APIRouter(tags=["webhooks"], route_class=IdempotentRoute)
WebhookId = Annotated[str, Path(alias="webhook", max_length=64)]
DeliveryId = Annotated[str, Path(alias="delivery", max_length=64)]
Url = Annotated[str, Field(max_length=MAX_URL)]
Event = Literal["job.done", "job.failed", "job.cancelled", "job.late"]
Events = Annotated[tuple[Event, ...], Field(max_length=len(EVENTS), strict=False)]
MOST = 10
OLD_SECRET_US = DAY


class NewWebhook(Body):
    """A webhook to add."""

    url: Url
    events: Events = ()


class ChangedWebhook(Body):
    """Changes of a webhook."""

    url: Url | None = None
    events: Events | None = None
    disabled: bool | None = None


def webhook_document(row: Row[Any]) -> dict[str, Any]:
    """A webhook, without its secret."""
    return {
        "id": row.id,
        "url": row.url,
        "events": row.events.split(",") if row.events else list(EVENTS),
        "disabled": rfc3339(row.disabled),
        "created": rfc3339(row.created),
        "old_secret_until": rfc3339(row.old_secret_until),
    }


def delivery_document(row: Row[Any]) -> dict[str, Any]:
    """A delivery."""
    return {
        "id": row.id,
        "webhook": row.webhook,
        "event": row.event,
        "event_id": row.event_id,
        "state": row.state,
        "attempt": row.attempt,
        "next": rfc3339(row.next_at),
        "status": row.status,
        "answer": row.answer,
        "created": rfc3339(row.created),
    }


@router.get("/v1/webhooks")
async def all_webhooks(listing: ListingOf) -> dict[str, Any]:
    """The webhooks, newest first."""
    rows = await listing.rows(webhooks)
    return {"webhooks": [webhook_document(row) for row in rows]}


@router.post("/v1/webhooks", status_code=201)
async def create(
    service: VideosOf, account: AccountOf, address: AddressOf, response: Response, body: NewWebhook
) -> dict[str, Any]:
    """Add a webhook; only this answer shows the secret that signs its messages."""
    _check_url(service, body.url)
    row = await service.database.call(_insert, account.id, body, address)
    response.headers["location"] = f"/v1/webhooks/{row.id}"
    response.headers["cache-control"] = "no-store"
    return {**webhook_document(row), "secret": row.secret}


@router.get("/v1/webhooks/{webhook}")
async def one(service: VideosOf, account: AccountOf, webhook: WebhookId) -> dict[str, Any]:
    """One webhook, without its secret."""
    return webhook_document(await service.database.call(find_webhook, account.id, webhook))


@router.patch("/v1/webhooks/{webhook}")
async def change(
    service: VideosOf,
    account: AccountOf,
    address: AddressOf,
    webhook: WebhookId,
    body: ChangedWebhook,
) -> dict[str, Any]:
    """Change the URL or the events of a webhook, disable or enable it."""
    if body.url is not None:
        _check_url(service, body.url)

    def work(connection: Connection) -> Row[Any]:
        find_webhook(connection, account.id, webhook)
        values: dict[str, Any] = {}
        if body.url is not None:
            values["url"] = body.url
        if body.events is not None:
            values["events"] = ",".join(body.events)
        if body.disabled is False:
            values["disabled"] = None
        if values:
            connection.execute(sa.update(webhooks).where(webhooks.c.id == webhook).values(**values))
        if body.disabled:
            delivery_queue.disable(connection, webhook)
        audit.note(connection, "webhook.changed", account.id, detail=webhook, address=address)
        return find_webhook(connection, account.id, webhook)

    return webhook_document(await service.database.call(work))


@router.delete("/v1/webhooks/{webhook}", status_code=204)
async def delete(
    service: VideosOf, account: AccountOf, address: AddressOf, webhook: WebhookId
) -> Response:
    """Delete a webhook with its log."""

    def work(connection: Connection) -> None:
        find_webhook(connection, account.id, webhook)
        connection.execute(sa.delete(webhooks).where(webhooks.c.id == webhook))
        audit.note(connection, "webhook.deleted", account.id, detail=webhook, address=address)

    await service.database.call(work)
    return Response(status_code=204)


@router.post("/v1/webhooks/{webhook}/rotate")
async def rotate(
    service: VideosOf,
    account: AccountOf,
    address: AddressOf,
    webhook: WebhookId,
    response: Response,
) -> dict[str, Any]:
    """Make a new secret; for a day messages are signed with the old one too."""

    def work(connection: Connection) -> Row[Any]:
        row = find_webhook(connection, account.id, webhook)
        connection.execute(
            sa.update(webhooks)
            .where(webhooks.c.id == webhook)
            .values(
                secret=new_secret(),
                old_secret=row.secret,
                old_secret_until=now_us() + OLD_SECRET_US,
            )
        )
        audit.note(connection, "webhook.rotated", account.id, detail=webhook, address=address)
        return find_webhook(connection, account.id, webhook)

    row = await service.database.call(work)
    response.headers["cache-control"] = "no-store"
    return {**webhook_document(row), "secret": row.secret}


@router.get("/v1/webhooks/{webhook}/deliveries")
async def log_of(
    service: VideosOf,
    account: AccountOf,
    webhook: WebhookId,
    request: Request,
    response: Response,
    limit: Limit = DEFAULT,
    after: After = None,
) -> dict[str, Any]:
    """The deliveries of a webhook, newest first."""

    def work(connection: Connection) -> list[Row[Any]]:
        find_webhook(connection, account.id, webhook)
        query = sa.select(deliveries).where(deliveries.c.webhook == webhook)
        if after is not None:
            query = query.where(deliveries.c.id < after)
        return list(connection.execute(query.order_by(deliveries.c.id.desc()).limit(limit + 1)))

    rows = await service.database.call(work)
    link_next(request, response, rows[:limit], len(rows) > limit)
    return {"deliveries": [delivery_document(row) for row in rows[:limit]]}


@router.post("/v1/deliveries/{delivery}/redeliver", status_code=202)
async def redeliver(service: VideosOf, account: AccountOf, delivery: DeliveryId) -> dict[str, Any]:
    """Deliver once more, from the first attempt on."""

    def work(connection: Connection) -> Row[Any]:
        row = _find_delivery(connection, account.id, delivery)
        if row.disabled is not None:
            raise ProblemError(409, delivery_queue.DISABLED, "Enable it")
        delivery_queue.again(connection, delivery)
        return _find_delivery(connection, account.id, delivery)

    return delivery_document(await service.database.call(work))


def find_webhook(connection: Connection, account: str, webhook: str) -> Row[Any]:
    """The row of an account's webhook; raises ProblemError (404) if there is none."""
    row = connection.execute(
        sa.select(webhooks).where(webhooks.c.id == webhook, webhooks.c.account == account)
    ).one_or_none()
    if row is None:
        raise not_found("webhook")
    return row


def _find_delivery(connection: Connection, account: str, delivery: str) -> Row[Any]:
    row = connection.execute(
        sa.select(deliveries, webhooks.c.disabled)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook)
        .where(deliveries.c.id == delivery, webhooks.c.account == account)
    ).one_or_none()
    if row is None:
        raise not_found("delivery")
    return row


def _check_url(service: VideosOf, url: str) -> None:
    try:
        service.webhook_rules.target(url)
    except RefusedAddressError as error:
        raise ProblemError(422, str(error), "Use a public https address", kind="url") from error


def _insert(connection: Connection, account: str, body: NewWebhook, address: str) -> Row[Any]:
    query = sa.select(sa.func.count()).select_from(webhooks).where(webhooks.c.account == account)
    if connection.execute(query).scalar_one() >= MOST:
        raise ProblemError(409, f"the account has {MOST} webhooks", "Delete one")
    identifier = new_id("whk")
    connection.execute(
        sa.insert(webhooks).values(
            id=identifier,
            account=account,
            url=body.url,
            secret=new_secret(),
            events=",".join(body.events),
            created=now_us(),
        )
    )
    audit.note(connection, "webhook.created", account, detail=identifier, address=address)
    return find_webhook(connection, account, identifier)
