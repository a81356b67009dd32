"""Files of keys: read, refreshed, and refused with the entry that is wrong."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tallylens.cloud_fallback.server.keys import KeyFile, Plan, entry, hash_of, new_key
from tallylens.edge_runtime.errors import InputError


def test_a_file_of_keys(tmp_path: Path) -> None:
    path, key = tmp_path / "keys.toml", new_key()
    plan = "[plans.small]\nconnections = 1\nframes_per_second = 2\nframes_per_day = 3\n"
    limits = 'plan = "small"\nexpires = 2030-01-02T03:04:05Z\n'
    path.write_text(plan + entry("door", key, ("detect",)) + limits)
    assert key not in path.read_text()
    (found,) = KeyFile(path).keys.values()
    assert (found.name, found.sha256, found.scopes) == ("door", hash_of(key), frozenset({"detect"}))
    assert found.plan == Plan(1, 2, 3)
    assert found.expires == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_file_that_becomes_unreadable_keeps_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(entry("door", new_key()))
    keys = KeyFile(path)
    assert not keys.refresh()
    path.write_text("[[keys]]\nname = 4\n")
    with pytest.raises(InputError, match="key 1 has no name"):
        keys.refresh()
    assert len(keys.keys) == 1
    assert keys.problem is not None
    assert not keys.refresh()
    path.write_text("")
    assert keys.refresh()
    assert not keys.keys
    assert keys.problem is None


def test_a_change_is_seen_however_fast_and_small_it_is(tmp_path: Path) -> None:
    """The new file has the size and times of the old one, as `cp -p` and `rsync -t` leave it."""
    path, key = tmp_path / "keys.toml", new_key()
    path.write_text(entry("door", key))
    keys, before = KeyFile(path), path.stat()
    path.write_text(entry("door", new_key()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert keys.refresh()
    assert hash_of(key) not in keys.keys


GOOD = f'name = "a"\nsha256 = "{"0" * 64}"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[keys", "not TOML"),
        ("keys = 4", "keys is not a list"),
        ("keys = [4]", "a value stands where a table should"),
        ("plans = 4", "a value stands where a table should"),
        ("[plans.p]\nspeed = 4", "plan p: speed is unknown"),
        ("[plans.p]\nconnections = 0", "plan p: connections is unknown, or not a number above 0"),
        ("[plans.p]\nconnections = true", "plan p: connections"),
        ('[[keys]]\nname = "a"\nsha256 = "abc"', "key a: sha256 is not 64 hexadecimal digits"),
        (f'[[keys]]\n{GOOD}scopes = ["root"]', "key a: scopes are detect, count"),
        (f"[[keys]]\n{GOOD}scopes = 1", "key a: scopes are detect, count"),
        (f'[[keys]]\n{GOOD}expires = "soon"', "key a: expires is not a time"),
        (f"[[keys]]\n{GOOD}expires = 2030-01-01T00:00:00", "key a: expires is not a time"),
        (f"[[keys]]\n{GOOD}revoked = true", "key 1: revoked is unknown"),
        (f"[[keys]]\n{GOOD}expire = 2030-01-01T00:00:00Z", "key 1: expire is unknown"),
        (f"[[keys]]\n{GOOD}[[keys]]\n{GOOD}", "key a is the same as key a"),
        (f'[[keys]]\n{GOOD}plan = "gold"', "key a: unknown plan 'gold'"),
    ],
)
def test_invalid_files_of_keys_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        KeyFile(path)
    assert problem in str(refused.value)
