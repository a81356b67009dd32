"""The pages of webhooks: one with its deliveries, and the forms that change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, Row

from ..accounts import Account
from ..callers.dependencies import AccountOf, AddressOf, VideosOf
from ..paging import DEFAULT, After
from ..problems import ProblemError
from ..routes.webhooks import DeliveryId, WebhookId, delivery_document, webhook_document
from ..webhooks import registry
from ..webhooks.events import EVENTS
from .forms import PageRoute, check_once, form_of, once, shown
from .render import page

if TYPE_CHECKING:
    from ..service import VideoService

T = TypeVar("T")
router = APIRouter(prefix="/account/webhooks", include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True)
class WebhookForm:
    """A form about one webhook, and who sent it."""

    _request: Request
    service: VideoService
    account: Account
    _address: str
    webhook: str

    async def fields(self) -> dict[str, str]:
        """The fields of the form; raises ProblemError for what is not one."""
        return await form_of(self._request)

    def run(self, change: Callable[..., T], connection: Connection, **values: Any) -> T:
        """The result of a change of `registry` in the caller's transaction."""
        return change(connection, self.account.id, self.webhook, self._address, **values)


async def _form(
    request: Request, service: VideosOf, account: AccountOf, address: AddressOf, webhook: WebhookId
) -> WebhookForm:
    return WebhookForm(request, service, account, address, webhook)


WebhookFormOf = Annotated[WebhookForm, Depends(_form)]


@router.post("")
async def create(
    request: Request, service: VideosOf, account: AccountOf, address: AddressOf
) -> Response:
    """Add a webhook, and show its secret once."""
    fields = await form_of(request)
    url, events = fields.get("url", "").strip(), _events(fields)
    registry.check_url(service.webhook_rules, url)

    def work(connection: Connection) -> Row[Any]:
        check_once(connection, account.id, fields)
        return registry.insert(connection, account.id, url, events, address)

    row = await service.database.call(work)
    return await _page(service, account, row.id, secret=row.secret)


@router.get("/{webhook}")
async def webhook_page(
    service: VideosOf, account: AccountOf, webhook: WebhookId, after: After = None
) -> Response:
    """One webhook with its deliveries, newest first."""
    return await _page(service, account, webhook, after)


async def _page(
    service: VideosOf, account: Account, webhook: str, after: str | None = None, secret: str = ""
) -> Response:
    def work(connection: Connection) -> tuple[Row[Any], list[Row[Any]], bool]:
        row = registry.find(connection, account.id, webhook)
        return row, *registry.log_of(connection, account.id, webhook, DEFAULT, after)

    row, rows, more = await service.database.call(work)
    context = {
        "webhook": webhook_document(row),
        "secret": secret,
        "deliveries": [delivery_document(one) for one in rows],
        "next": rows[-1].id if more else None,
        "events": EVENTS,
        "once": once(),
    }
    return page("webhook.html", shown("/account", account, **context))


@router.post("/{webhook}")
async def change(form: WebhookFormOf) -> Response:
    """Change the URL and the events, or disable or enable it."""
    fields, service = await form.fields(), form.service
    values: dict[str, Any] = {}
    if "disabled" in fields:
        values["disabled"] = fields["disabled"] == "1"
    else:
        values["url"], values["events"] = fields.get("url", "").strip(), _events(fields)
        registry.check_url(service.webhook_rules, values["url"])
    await service.database.call(lambda one: form.run(registry.change, one, **values))
    return _to(form.webhook)


@router.post("/{webhook}/rotate")
async def rotate(form: WebhookFormOf) -> Response:
    """Make a new secret, and show it once."""
    fields = await form.fields()

    def work(connection: Connection) -> Row[Any]:
        check_once(connection, form.account.id, fields)
        return form.run(registry.rotate, connection)

    row = await form.service.database.call(work)
    return await _page(form.service, form.account, form.webhook, secret=row.secret)


@router.post("/{webhook}/delete")
async def delete(form: WebhookFormOf) -> Response:
    """Delete a webhook with its log."""
    if not (await form.fields()).get("sure"):
        raise ProblemError(422, "the box is not checked", "Go back and check it")
    await form.service.database.call(lambda one: form.run(registry.delete, one))
    return RedirectResponse("/account", 303)


@router.post("/deliveries/{delivery}/redeliver")
async def redeliver(
    request: Request, service: VideosOf, account: AccountOf, delivery: DeliveryId
) -> Response:
    """Deliver once more."""
    await form_of(request)
    row = await service.database.call(registry.redeliver, account.id, delivery)
    return _to(row.webhook)


def _events(fields: dict[str, str]) -> tuple[str, ...]:
    """The events whose boxes are checked; empty for all of them.

    Raises:
        ProblemError: 422 if none is checked.
    """
    found = tuple(one for one in EVENTS if fields.get(one))
    if not found:
        raise ProblemError(422, "no event is checked", "Go back and check one")
    return () if len(found) == len(EVENTS) else found


def _to(webhook: str) -> Response:
    return RedirectResponse(f"/account/webhooks/{webhook}", 303)
