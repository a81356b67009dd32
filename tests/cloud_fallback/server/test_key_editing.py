"""The file of keys as it is edited: nothing else in it changes, and no reader sees half of it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tallylens.cloud_fallback.server.key_editing import add_key, parse_expiry, revoke
from tallylens.cloud_fallback.server.keys import KeyFile, entry, new_key
from tallylens.edge_runtime.errors import InputError, UsageError

PLANS = "# our plans\n[plans.p]\nconnections = 2\n"


def names(path: Path) -> list[str]:
    return sorted(key.name for key in KeyFile(path).keys.values())


def test_links_and_modes_stay(tmp_path: Path) -> None:
    """A key file in a mounted folder is a link, and its group reads it."""
    real, link = tmp_path / "store" / "keys.toml", tmp_path / "keys.toml"
    real.parent.mkdir()
    real.write_text(PLANS)
    real.chmod(0o640)
    link.symlink_to(real)
    add_key(link, "door")
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.read_text().startswith(PLANS)
    assert names(link) == ["door"]
    assert sorted(one.name for one in real.parent.iterdir()) == ["keys.toml"]


def test_a_failed_edit_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(PLANS + entry("door", new_key()))
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        add_key(path, "gate")
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["keys.toml"]


def test_keys_that_are_added_at_once_are_all_there(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add_key(path, f"key {number}"), range(24)))
    assert len(names(path)) == 24


def test_only_the_keys_of_the_name_are_revoked(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    door, gate, spare = (entry(name, new_key()) for name in ("door", "gate", "door"))
    path.write_text(f"{PLANS}{door}# the gate of the yard\n{gate}{spare}\n# the end\n")
    assert revoke(path, "door") == 2
    assert path.read_text() == f"{PLANS}\n# the gate of the yard\n{gate}\n\n# the end\n"
    with pytest.raises(UsageError, match="--revoke: no key is named 'door'"):
        revoke(path, "door")


def test_a_key_that_cannot_be_found_in_the_text_is_not_revoked(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f'keys = [{{name = "door", sha256 = "{"0" * 64}"}}]\n')
    before = path.read_text()
    with pytest.raises(UsageError, match="Remove the key by hand"):
        revoke(path, "door")
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2999-01-31", datetime(2999, 1, 31, tzinfo=UTC)),
        ("2999-01-31T12:00:00Z", datetime(2999, 1, 31, 12, tzinfo=UTC)),
        ("2999-01-31T12:00:00+02:00", datetime(2999, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_date_or_a_time(text: str, time: datetime) -> None:
    assert parse_expiry(text) == time
