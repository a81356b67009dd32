"""Tests of payment events: what changes a plan, and what must not."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from standardwebhooks.webhooks import Webhook

from tallylens.cloud_fallback.jobs.account_settings import PAYMENT_VARIABLE, STRIPE_VARIABLE
from tallylens.cloud_fallback.jobs.payments.messages import (
    PaymentEvent,
    read_standard,
    read_stripe,
)
from tallylens.cloud_fallback.jobs.webhooks.signing import (
    SignatureError,
    new_secret,
    signed_headers,
)
from tests.support.people import Person, forget_tries, somebody
from tests.support.video_server import VideoServer

STRIPE_SECRET, STANDARD_SECRET = "whsec_of_stripe", new_secret()
NUMBERS = iter(range(10**6))


@pytest.fixture(scope="module")
def paying_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoServer]:
    environment = {STRIPE_VARIABLE: STRIPE_SECRET, PAYMENT_VARIABLE: STANDARD_SECRET}
    folder = tmp_path_factory.mktemp("paying")
    server = VideoServer(folder, "demo", workers=0, environment=environment)
    with server.start().running():
        yield server


@pytest.fixture
def person(paying_server: VideoServer) -> Person:
    forget_tries(paying_server.videos)
    return somebody(paying_server)


def account_of(person: Person) -> str:
    return str(person.request("GET", "/v1/account").json()["id"])


def plan_of(person: Person) -> tuple[str, bool]:
    """The name of the plan, and whether it ends."""
    document = person.request("GET", "/v1/account").json()
    return document["plan"]["name"], document["plan_until"] is not None


def subscription(account: str, plan: str = "month", **values: Any) -> dict[str, Any]:
    now = int(time.time())
    about = {"metadata": {"account": account, "plan": plan}, "status": "active"}
    about["items"] = {"data": [{"current_period_end": now + 31 * 86_400}]}
    kind = values.pop("type", "customer.subscription.updated")
    event = {"id": f"evt_{next(NUMBERS)}", "type": kind, "created": now}
    return {**event, "data": {"object": {**about, **values.pop("object", {})}}, **values}


def stripe_headers(
    body: bytes, at: int | None = None, secret: str = STRIPE_SECRET
) -> dict[str, str]:
    """The header as Stripe's own library signs it."""
    timestamp = int(time.time()) if at is None else at
    signed = stripe.WebhookSignature._compute_signature(f"{timestamp}.{body.decode()}", secret)
    return {"Stripe-Signature": f"t={timestamp},v1={signed}"}


def pay(server: VideoServer, event: dict[str, Any], **options: Any) -> tuple[int, str]:
    body = json.dumps(event).encode()
    answer = server.client.post(
        "/v1/payments/stripe", content=body, headers=stripe_headers(body, **options)
    )
    return answer.status_code, answer.json().get("result", answer.json().get("detail"))


@pytest.mark.slow
def test_a_subscription_changes_the_plan_and_ends_it(person: Person) -> None:
    server, account = person.server, account_of(person)
    assert plan_of(person) == ("free", False)
    assert pay(server, subscription(account)) == (200, "changed")
    assert plan_of(person) == ("month", True)
    usage = person.request("GET", "/v1/usage").json()
    assert (usage["plan"], usage["videos"]["limit"], usage["videos"]["left"]) == ("month", 200, 200)
    ended = subscription(account, type="customer.subscription.deleted")
    assert pay(server, ended) == (200, "changed")
    assert plan_of(person) == ("free", False)


@pytest.mark.slow
def test_what_leaves_the_plan_unchanged(person: Person) -> None:
    server, account, now = person.server, account_of(person), int(time.time())
    event = subscription(account)
    assert pay(server, event, secret="another") == (400, "the signature is wrong")
    assert pay(server, event, at=now - 301) == (400, "the time of the message is not now")
    assert pay(server, event, at=now + 330) == (400, "the time of the message is not now")
    for headers in (
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "t=,v1="},
        {"Stripe-Signature": f"v1={'0' * 64}"},
        {"Stripe-Signature": f"t={now},t={now},v1={'0' * 64}"},
    ):
        answer = server.client.post("/v1/payments/stripe", json=event, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/signature")
    assert plan_of(person) == ("free", False)
    # Once, and again.
    assert pay(server, event) == (200, "changed")
    assert pay(server, event) == (200, "known")
    year = subscription(account, "year")
    assert pay(server, year) == (200, "changed")
    assert pay(server, event) == (200, "known")
    assert plan_of(person) == ("year", True)
    # Out of order: it happened before what changed the plan.
    assert pay(server, subscription(account, created=now - 60)) == (200, "older")
    assert plan_of(person) == ("year", True)
    # Events of other kinds, accounts and plans.
    for other in (
        subscription(account, type="invoice.created"),
        subscription("acc_nobody"),
        subscription(account, "unheard of"),
        subscription(account, object={"metadata": {}}),
        subscription(
            account, type="checkout.session.completed", object={"payment_status": "unpaid"}
        ),
    ):
        assert pay(server, other) == (200, "ignored")
    assert plan_of(person) == ("year", True)


@pytest.mark.slow
def test_an_unpaid_subscription_ends_the_plan(person: Person) -> None:
    account = account_of(person)
    assert pay(person.server, subscription(account)) == (200, "changed")
    unpaid = subscription(account, object={"status": "unpaid"})
    assert pay(person.server, unpaid) == (200, "changed")
    assert plan_of(person) == ("free", False)


@pytest.mark.slow
def test_a_single_payment_is_good_for_the_days_of_its_plan(person: Person) -> None:
    account = account_of(person)
    paid = subscription(
        account, "year", type="checkout.session.completed", object={"payment_status": "paid"}
    )
    assert pay(person.server, paid) == (200, "changed")
    until = person.request("GET", "/v1/account").json()["plan_until"]
    left_s = time.time() + 366 * 86_400
    assert until[:10] == time.strftime("%Y-%m-%d", time.gmtime(left_s))


@pytest.mark.slow
def test_events_of_standard_webhooks(person: Person) -> None:
    server, account = person.server, account_of(person)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    data: dict[str, Any] = {"account": account, "plan": "month", "until": None}
    body = json.dumps({"type": "plan.changed", "timestamp": now, "data": data}).encode()

    def send(secret: str, message: str, content: bytes = body) -> Any:
        headers = signed_headers(message, int(time.time()), content, (secret,))
        return server.client.post("/v1/payments/standard", content=content, headers=headers)

    assert Webhook(STANDARD_SECRET).verify(
        body.decode(), signed_headers("m", int(time.time()), body, (STANDARD_SECRET,))
    )
    assert send(new_secret(), "m1").status_code == 400
    assert plan_of(person) == ("free", False)
    assert send(STANDARD_SECRET, "m1").json() == {"result": "changed"}
    assert send(STANDARD_SECRET, "m1").json() == {"result": "known"}
    assert plan_of(person) == ("month", True)
    assert send(STANDARD_SECRET, "m2", b"[]").status_code == 422
    assert send(STANDARD_SECRET, "m3", b'{"type": "x", "timestamp": "now"}').status_code == 422


@pytest.mark.slow
def test_a_provider_without_a_secret_is_unknown(idle_server: VideoServer) -> None:
    for provider in ("stripe", "standard", "nobody"):
        answer = idle_server.client.post(f"/v1/payments/{provider}", json={})
        assert answer.status_code == 404


def test_the_signature_of_stripe_is_an_independent_one() -> None:
    body = json.dumps(subscription("acc_1", object={"current_period_end": 2_000_000_000})).encode()
    now = int(time.time())
    digest = hmac.new(b"secret", f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    # Two secrets are in use while one replaces the other.
    headers = {"stripe-signature": f"t={now},v1={'0' * 64},v0=x,v1={digest}"}
    event = read_stripe(headers, body, "secret", now)
    assert (event.account, event.plan) == ("acc_1", "month")
    assert event.until == 2_000_000_000 * 1_000_000
    assert stripe_headers(body, now, "secret")["Stripe-Signature"].endswith(digest)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"id": 1, "type": "x", "created": 1}',
        b'{"id": "a", "type": "x", "created": 1e400, "data": {"object": {}}}',
        b'{"id": "a", "type": "x", "created": true, "data": {"object": {}}}',
        b'{"id": "a", "type": "x", "created": -1, "data": {"object": {}}}',
        b'{"id": "a", "type": "x", "created": 1, "data": []}',
        b'{"id": "a", "type": "customer.subscription.updated", "created": 1, "data": {"object":'
        b' {"status": "active", "metadata": {"account": "b", "plan": ["c"]}}}}',
    ],
)
def test_signed_bodies_that_are_not_events(body: bytes) -> None:
    now = int(time.time())
    digest = hmac.new(b"secret", f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    with pytest.raises((ValueError, RecursionError)):
        read_stripe({"stripe-signature": f"t={now},v1={digest}"}, body, "secret", now)
    headers = signed_headers("m", now, body, (STANDARD_SECRET,))
    with pytest.raises((ValueError, RecursionError)):
        read_standard(headers, body, STANDARD_SECRET, now)


def test_a_kind_that_is_not_known_has_no_account() -> None:
    now = int(time.time())
    body = b'{"type": "other", "timestamp": "2026-01-01T00:00:00Z"}'
    headers = signed_headers("m", now, body, (STANDARD_SECRET,))
    event = read_standard(headers, body, STANDARD_SECRET, now)
    assert event == PaymentEvent("m", "other", 1_767_225_600_000_000)
    with pytest.raises(SignatureError):
        read_standard({**headers, "webhook-timestamp": "1"}, body, STANDARD_SECRET, now)
