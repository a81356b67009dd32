"""`/v1/webhooks` and `/v1/deliveries`: where events of jobs are sent, and what became of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from pydantic import Field
from sqlalchemy import Row

from ..callers.dependencies import AccountOf, AddressOf, VideosOf
from ..clock import rfc3339
from ..idempotency import IdempotentRoute
from ..paging import ListingOf
from ..tables import webhooks
from ..webhooks import registry
from ..webhooks.addresses import MAX_URL
from ..webhooks.events import EVENTS
from .accounts import Body

router = APIRouter(tags=["webhooks"], route_class=IdempotentRoute)
WebhookId = Annotated[str, Path(alias="webhook", max_length=64)]
DeliveryId = Annotated[str, Path(alias="delivery", max_length=64)]
Url = Annotated[str, Field(max_length=MAX_URL)]
Event = Literal["job.done", "job.failed", "job.cancelled", "job.late"]
Events = Annotated[tuple[Event, ...], Field(max_length=len(EVENTS), strict=False)]


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
    registry.check_url(service.webhook_rules, body.url)
    row = await service.database.call(registry.insert, account.id, body.url, body.events, address)
    response.headers["location"] = f"/v1/webhooks/{row.id}"
    response.headers["cache-control"] = "no-store"
    return {**webhook_document(row), "secret": row.secret}


@router.get("/v1/webhooks/{webhook}")
async def one(service: VideosOf, account: AccountOf, webhook: WebhookId) -> dict[str, Any]:
    """One webhook, without its secret."""
    return webhook_document(await service.database.call(registry.find, account.id, webhook))


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
        registry.check_url(service.webhook_rules, body.url)
    row = await service.database.call(
        registry.change,
        account.id,
        webhook,
        address,
        url=body.url,
        events=body.events,
        disabled=body.disabled,
    )
    return webhook_document(row)


@router.delete("/v1/webhooks/{webhook}", status_code=204)
async def delete(
    service: VideosOf, account: AccountOf, address: AddressOf, webhook: WebhookId
) -> Response:
    """Delete a webhook with its log."""
    await service.database.call(registry.delete, account.id, webhook, address)
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
    row = await service.database.call(registry.rotate, account.id, webhook, address)
    response.headers["cache-control"] = "no-store"
    return {**webhook_document(row), "secret": row.secret}


@router.get("/v1/webhooks/{webhook}/deliveries")
async def log_of(webhook: WebhookId, listing: ListingOf) -> dict[str, Any]:
    """The deliveries of a webhook, newest first."""
    rows = await listing.found_by(registry.log_of, listing.account.id, webhook)
    return {"deliveries": [delivery_document(row) for row in rows]}


@router.post("/v1/deliveries/{delivery}/redeliver", status_code=202)
async def redeliver(service: VideosOf, account: AccountOf, delivery: DeliveryId) -> dict[str, Any]:
    """Deliver once more, from the first attempt on."""
    return delivery_document(await service.database.call(registry.redeliver, account.id, delivery))
