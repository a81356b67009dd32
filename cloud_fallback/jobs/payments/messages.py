"""Messages of payment providers: their signatures, and the change of a plan that they mean."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..clock import SECOND
from ..webhooks.signing import MAX_SIGNATURES, SignatureError, check_signature, check_time

MAX_BODY = 256 << 10
MAX_ID = 200
ACTIVE = ("active", "trialing", "past_due")


@dataclass(frozen=True)
class PaymentEvent:
    """The content of a message.

    Args:
        id: of the event, the same in each message about it.
        kind: its type by the provider.
        happened: microseconds since 1970.
        account: the one with the plan that changes; empty for an event that changes none.
        plan: the new one; None ends the plan.
        until: when it ends, in microseconds; None for the plan's own time.
    """

    id: str
    kind: str
    happened: int
    account: str = ""
    plan: str | None = None
    until: int | None = None


Read = Callable[[Mapping[str, str], bytes, str, float], PaymentEvent]


def read_stripe(headers: Mapping[str, str], body: bytes, secret: str, now_s: float) -> PaymentEvent:
    """The event of a message of Stripe (https://docs.stripe.com/webhooks/signature).

    The object that it is about names account and plan in its metadata.

    Raises:
        SignatureError: it is not signed with the secret, or not now.
        ValueError: it is signed, and not an event.
    """
    timestamp, given = _stripe_header(headers.get("stripe-signature", ""))
    check_time(timestamp, now_s)
    content = timestamp.encode() + b"." + body
    expected = hmac.digest(secret.encode(), content, hashlib.sha256).hex()
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in given):
        raise SignatureError("the signature is wrong")
    document = _object(json.loads(body))
    about = _object(_object(document.get("data")).get("object"))
    kind = _text(document.get("type"))
    event = PaymentEvent(
        _text(document.get("id")), kind, int(_number(document.get("created")) * SECOND)
    )
    metadata = about.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("account"):
        return event
    account = _text(metadata["account"])
    if kind in ("customer.subscription.created", "customer.subscription.updated"):
        if about.get("status") not in ACTIVE:
            return PaymentEvent(event.id, kind, event.happened, account)
        plan = _text(metadata.get("plan"))
        return PaymentEvent(event.id, kind, event.happened, account, plan, _period_end(about))
    if kind == "customer.subscription.deleted":
        return PaymentEvent(event.id, kind, event.happened, account)
    if kind == "checkout.session.completed" and about.get("payment_status") == "paid":
        plan = _text(metadata.get("plan"))
        return PaymentEvent(event.id, kind, event.happened, account, plan)
    return event


def read_standard(
    headers: Mapping[str, str], body: bytes, secret: str, now_s: float
) -> PaymentEvent:
    """The event of a message of Standard Webhooks; raises as `read_stripe` does.

    Its type is `plan.changed`, its data `{"account": ..., "plan": ..., "until": RFC 3339 or null}`;
    a plan of null ends it.
    """
    message = check_signature(headers, body, secret, now_s)
    document = _object(json.loads(body))
    kind = _text(document.get("type"))
    happened = _time(document.get("timestamp"))
    if kind != "plan.changed":
        return PaymentEvent(message, kind, happened)
    data = _object(document.get("data"))
    plan = None if data.get("plan") is None else _text(data["plan"])
    until = None if data.get("until") is None else _time(data["until"])
    return PaymentEvent(message, kind, happened, _text(data.get("account")), plan, until)


READERS: Mapping[str, Read] = {"stripe": read_stripe, "standard": read_standard}
"""{provider: what reads its messages}"""


def _stripe_header(text: str) -> tuple[str, list[str]]:
    pairs = [part.partition("=") for part in text[:4096].split(",")]
    timestamps = [value for key, _, value in pairs if key.strip() == "t"]
    given = [value for key, _, value in pairs if key.strip() == "v1"]
    if len(timestamps) != 1:
        raise SignatureError("the signature has no time")
    return timestamps[0], given[:MAX_SIGNATURES]


def _period_end(subscription: Mapping[str, Any]) -> int | None:
    """The end of the paid period: of the subscription, since 2025 of its items."""
    items = subscription.get("items")
    listed = items.get("data") if isinstance(items, dict) else None
    ends = [subscription.get("current_period_end")]
    ends += [one.get("current_period_end") for one in listed or () if isinstance(one, dict)]
    given = [_number(one) for one in ends if one is not None]
    return int(max(given) * SECOND) if given else None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID:
        raise ValueError("not a text")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise ValueError("not a time")
    return value


def _time(value: Any) -> int:
    found = datetime.fromisoformat(_text(value))
    if found.tzinfo is None or found.year < 1971:
        raise ValueError("a time without a zone")
    return int(found.timestamp() * SECOND)
