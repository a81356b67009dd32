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


def test_a_cluster_of_several_machines_shares_its_places(
    tallylens: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each machine would have a database of its own, and jobs that nobody counts."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr("tallylens.extras.need_cluster", lambda _: None)
    keys = tmp_path / "keys.toml"
    assert tallylens("serve", "--keys", keys, "--new-key", "tester").status == 0
    videos = ("--videos", tmp_path / "videos")
    outcome = tallylens("serve", "--ray", "--model", "demo", "--keys", keys, *videos)
    assert outcome.status == 2
    assert "Add --database postgresql://... and --store" in outcome.err
