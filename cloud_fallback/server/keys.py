"""API keys and their limits: a TOML file that holds hashes of keys, never a key.

    [plans.standard]
    connections = 10
    frames_per_second = 30
    frames_per_day = 1_000_000

    [[keys]]
    name = "front door"
    sha256 = "..."
    scopes = ["detect", "count"]
    expires = 2027-01-01T00:00:00Z
    plan = "standard"

A key is 128 random bits, so that its hash needs no salt and no slowness.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...edge_runtime.errors import InputError

PREFIX = "tlk_"
SCOPES = ("detect", "count", "token", "metrics")
MAX_FILE_BYTES = 4 << 20
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Plan:
    """Limits of one key."""

    connections: int = 100
    frames_per_second: int = 100
    frames_per_day: int = 10_000_000


@dataclass(frozen=True)
class Key:
    """One entry of the file; of the key itself only the SHA-256."""

    name: str
    sha256: str
    scopes: frozenset[str]
    expires: datetime
    plan: Plan


def new_key() -> str:
    """A random key for one device or person."""
    return PREFIX + secrets.token_hex(16)


def hash_of(key: str) -> str:
    """The SHA-256 of a key, hexadecimal: all that is stored of it."""
    return hashlib.sha256(key.encode()).hexdigest()


def entry(name: str, key: str, scopes: tuple[str, ...] = ("detect", "count")) -> str:
    """The TOML lines of a key in the file."""
    listed = ", ".join(f'"{scope}"' for scope in scopes)
    return f'\n[[keys]]\nname = "{name}"\nsha256 = "{hash_of(key)}"\nscopes = [{listed}]\n'


class KeyFile:
    """The keys of a file, read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Read `path`.

        Raises:
            InputError: missing, or an entry of it is invalid.
        """
        self._path = path
        self._stamp: tuple[int, int] = (0, 0)
        self.keys: Mapping[str, Key] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read the file if it has changed; whether it had.

        Raises:
            InputError: it cannot be used; the keys read before stay valid.
        """
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return False
            with self._path.open("rb") as file:
                text = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise self._bad(error.strerror or "cannot be read") from error
        self.keys = self._parse(text)
        self._stamp = stamp
        return True

    def _parse(self, text: bytes) -> dict[str, Key]:
        if len(text) > MAX_FILE_BYTES:
            raise self._bad("too large")
        try:
            document = tomllib.loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise self._bad("not TOML") from error
        plans = {"": Plan()}
        for name, fields in self._table(document.get("plans", {})).items():
            plans[name] = self._plan(name, self._table(fields))
        listed = document.get("keys", [])
        if not isinstance(listed, list):
            raise self._bad("keys is not a list: write [[keys]]")
        keys = [self._key(number, self._table(one), plans) for number, one in enumerate(listed, 1)]
        return {key.sha256: key for key in keys}

    def _table(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._bad("a value stands where a table should")
        return value

    def _plan(self, name: str, fields: Mapping[str, Any]) -> Plan:
        known = Plan.__dataclass_fields__
        for field, value in fields.items():
            whole = isinstance(value, int) and not isinstance(value, bool)
            if field not in known or not whole or value < 1:
                raise self._bad(f"plan {name}: {field} is unknown, or not a number above 0")
        return Plan(**fields)

    def _key(self, number: int, fields: Mapping[str, Any], plans: Mapping[str, Plan]) -> Key:
        name, sha256 = fields.get("name"), fields.get("sha256")
        scopes, expires = fields.get("scopes", ["detect", "count"]), fields.get("expires", NEVER)
        if not isinstance(name, str) or not name:
            raise self._bad(f"key {number} has no name")
        if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
            raise self._bad(f"key {name}: sha256 is not 64 hexadecimal digits")
        if not isinstance(scopes, list) or not set(map(str, scopes)) <= set(SCOPES):
            raise self._bad(f"key {name}: scopes are {', '.join(SCOPES)}")
        if not isinstance(expires, datetime) or expires.tzinfo is None:
            raise self._bad(f"key {name}: expires is not a time like 2027-01-01T00:00:00Z")
        plan = fields.get("plan", "")
        if plan not in plans:
            raise self._bad(f"key {name}: there is no plan {plan!r}")
        return Key(name, sha256, frozenset(scopes), expires, plans[plan])

    def _bad(self, problem: str) -> InputError:
        return InputError(
            self._path, problem, "Make one with tallylens serve --new-key NAME --keys FILE"
        )
