"""API keys and their limits: a TOML file that holds hashes of keys, never a key.

    [plans.standard]
    connections = 10
    frames_per_second = 30
    frames_per_day = 1_000_000
    bytes_per_second = 10_000_000

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
import json
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...edge_runtime.errors import InputError
from .changed_files import file_stamp

PREFIX = "tlk_"
SCOPES = ("detect", "count", "token", "metrics", "videos")
MAX_FILE_BYTES = 4 << 20
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Plan:
    """Limits of one key; `bytes_per_second` 0 is 1 MiB for each of its frames per second."""

    connections: int = 100
    frames_per_second: int = 100
    frames_per_day: int = 10_000_000
    bytes_per_second: int = 0


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


def entry(
    name: str,
    key: str,
    scopes: tuple[str, ...] = ("detect", "count"),
    expires: datetime | None = None,
    plan: str = "",
) -> str:
    """The TOML lines of a key in the file."""
    listed = ", ".join(f'"{scope}"' for scope in scopes)
    lines = f'\n[[keys]]\nname = "{name}"\nsha256 = "{hash_of(key)}"\nscopes = [{listed}]\n'
    if expires is not None:
        lines += f"expires = {expires.isoformat()}\n"
    return lines + (f"plan = {json.dumps(plan)}\n" if plan else "")


class KeyFile:
    """The keys of a file, read again when it changes.

    Attributes:
        keys: the keys of the newest valid content, by hash.
        problem: why the file as it is now cannot be used; None where `keys` are its keys.
    """

    def __init__(self, path: Path) -> None:
        """Read `path`.

        Raises:
            InputError: missing, or an entry of it is invalid.
        """
        self._path = path
        self._stamp: tuple[int, ...] = ()
        self.keys: Mapping[str, Key] = {}
        self.problem: InputError | None = None
        self.refresh()

    def refresh(self) -> bool:
        """Read the file if it has changed; whether it had.

        Raises:
            InputError: it has changed and cannot be used, raised once per change; the keys read
                before stay valid, and `problem` says so.
        """
        stamp = file_stamp(self._path)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.keys, self.problem = self.parse(self._path, self._read()), None
        except InputError as error:
            self.problem = error
            raise
        return True

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                return file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise _KeyFileReader(self._path).bad(error.strerror or "cannot be read") from error

    @staticmethod
    def parse(path: Path, text: bytes) -> dict[str, Key]:
        """The keys of the content of a file, by hash.

        Raises:
            InputError: it is invalid; the error names `path`.
        """
        return _KeyFileReader(path).parse(text)


class _KeyFileReader:
    """Reads the content of a file of keys, and says which entry is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def parse(self, text: bytes) -> dict[str, Key]:
        """The keys, by hash; raises InputError."""
        if len(text) > MAX_FILE_BYTES:
            raise self.bad("too large")
        try:
            document = tomllib.loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise self.bad("not TOML") from error
        plans = {"": Plan()}
        for name, fields in self._table(document.get("plans", {})).items():
            plans[name] = self._plan(name, self._table(fields))
        listed = document.get("keys", [])
        if not isinstance(listed, list):
            raise self.bad("keys is not a list: write [[keys]]")
        keys = [self._key(number, self._table(one), plans) for number, one in enumerate(listed, 1)]
        found: dict[str, Key] = {}
        for key in keys:
            # Revoking one of two entries would leave the key valid.
            same = found.setdefault(key.sha256, key)
            if same is not key:
                raise self.bad(f"key {key.name} is the same as key {same.name}")
        return found

    def _table(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.bad("a value stands where a table should")
        return value

    def _plan(self, name: str, fields: Mapping[str, Any]) -> Plan:
        known = Plan.__dataclass_fields__
        for field, value in fields.items():
            whole = isinstance(value, int) and not isinstance(value, bool)
            if field not in known or not whole or value < 1:
                raise self.bad(f"plan {name}: {field} is unknown, or not a number above 0")
        return Plan(**fields)

    def _key(self, number: int, fields: Mapping[str, Any], plans: Mapping[str, Plan]) -> Key:
        unknown = sorted(set(fields) - set(Key.__dataclass_fields__))
        if unknown:
            raise self.bad(f"key {number}: {unknown[0]} is unknown")
        name, sha256 = fields.get("name"), fields.get("sha256")
        scopes, expires = fields.get("scopes", ["detect", "count"]), fields.get("expires", NEVER)
        if not isinstance(name, str) or not name:
            raise self.bad(f"key {number} has no name")
        if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
            raise self.bad(f"key {name}: sha256 is not 64 hexadecimal digits")
        if not isinstance(scopes, list) or not set(map(str, scopes)) <= set(SCOPES):
            raise self.bad(f"key {name}: scopes are {', '.join(SCOPES)}")
        if not isinstance(expires, datetime) or expires.tzinfo is None:
            raise self.bad(f"key {name}: expires is not a time like 2027-01-01T00:00:00Z")
        plan = fields.get("plan", "")
        if plan not in plans:
            raise self.bad(f"key {name}: unknown plan {plan!r}")
        return Key(name, sha256, frozenset(scopes), expires, plans[plan])

    def bad(self, problem: str) -> InputError:
        """The error of the file."""
        return InputError(
            self._path, problem, "Make one with tallylens serve --new-key NAME --keys FILE"
        )
