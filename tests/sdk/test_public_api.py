"""The public API is complete, visible to type checkers, and recorded in the repository."""

from __future__ import annotations

import pytest

import tallylens
from tests.support import public_api

REMEDY = "run `python -m tests.support.public_api` and review what changed"


def test_the_stub_names_what_the_table_names() -> None:
    assert public_api.STUB.read_text() == public_api.stub(), REMEDY


def test_the_recorded_api_is_that_of_the_code() -> None:
    assert public_api.DUMP.read_text() == public_api.dump(), REMEDY


def test_public_signatures_mention_public_names_only() -> None:
    assert public_api.missing() == {}, "add the name to the table in sdk/__init__.py"


@pytest.mark.parametrize("name", ["Image", "OffloadOptions", "PeriodTotals", "Source"])
def test_a_name_that_is_not_public_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallylens, "__all__", [one for one in tallylens.__all__ if one != name])
    assert list(public_api.missing()) == [name]
