"""Tests of the sentences of pages about payments, deliveries and problems."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tallylens.cloud_fallback.jobs.clock import DAY, now_us
from tallylens.cloud_fallback.jobs.pages import words

EMAIL = "ada@example.org"
PAST = 1_767_225_600_000_000  # 2026-01-01


@pytest.mark.parametrize(
    ("email", "plan", "until", "told"),
    [
        (None, "", None, "None: the key is in the key file of the server."),
        (EMAIL, "", None, "None."),
        (EMAIL, "month", None, "Paid, without an end."),
        (EMAIL, "month", now_us() + DAY, "Paid until 2"),
        (
            EMAIL,
            "month",
            PAST,
            "The plan month ended 2026-01-01 00:00 UTC; it is free until it is paid again.",
        ),
    ],
    ids=["key file", "never", "no end", "paid", "ended"],
)
def test_payments(email: str | None, plan: str, until: int | None, told: str) -> None:
    row: Any = SimpleNamespace(email=email, plan=plan, plan_until=until)
    assert words.payment(row, "free").startswith(told)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "Waiting after 0 attempts, next attempt 2026-01-01 00:00 UTC."),
        (
            {"attempt": 1, "status": 500, "answer": "no"},
            "Waiting after 1 attempt, answered with 500, next attempt 2026-01-01 00:00 UTC: no",
        ),
        (
            {"state": "delivered", "attempt": 2, "status": 204, "next": None},
            "Delivered after 2 attempts, answered with 204.",
        ),
    ],
    ids=["new", "refused", "delivered"],
)
def test_deliveries(changed: dict[str, Any], told: str) -> None:
    delivery = {"state": "waiting", "attempt": 0, "status": None, "answer": None}
    document = {**delivery, "next": "2026-01-01T00:00:00.000Z", **changed}
    assert words.delivery(document) == told


def test_headings() -> None:
    assert words.heading({"status": 404, "title": "Not Found"}) == "Not found"
    assert words.heading({"status": 415, "title": "Unsupported Media Type"}) == (
        "Unsupported Media Type"
    )


def test_an_error_that_ends_with_a_period_has_one() -> None:
    assert words.state({"state": "failed", "error": "it is. Swap them."}) == (
        "Failed: it is. Swap them."
    )
