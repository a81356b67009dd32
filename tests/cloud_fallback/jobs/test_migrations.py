"""Tests of the tables that the migrations make."""

from __future__ import annotations

from tallylens.cloud_fallback.jobs import schema
from tallylens.cloud_fallback.jobs.database import Database


def test_the_migrations_make_the_tables(database: Database) -> None:
    assert schema.differences(database) == []


def test_applying_the_migrations_again_changes_nothing(database: Database) -> None:
    schema.upgrade(database)
    assert schema.differences(database) == []
