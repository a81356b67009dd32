"""Tests of `tallylens worker` that need no server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tallylens.cloud_fallback.jobs import schema
from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
from tests.conftest import Outcome

Run = Callable[..., Outcome]


def test_migrate_makes_the_tables_and_ends(tallylens: Run, tmp_path: Path) -> None:
    for _ in range(2):
        outcome = tallylens("worker", "--migrate", "--videos", tmp_path / "videos")
        assert (outcome.status, outcome.out) == (0, "")
        assert "has the tables of this version" in outcome.err
    database = Database(sqlite_url(tmp_path / "videos" / "tallylens.db"))
    assert schema.differences(database) == []
    database.close()


def test_a_cluster_needs_an_address(
    tallylens: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("tallylens.extras.need_cluster", lambda _: None)
    outcome = tallylens("worker", "--ray", "--model", "demo", "--videos", tmp_path)
    assert outcome.status == 2
    assert "Set RAY_ADDRESS" in outcome.err
