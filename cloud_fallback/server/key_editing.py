"""Adding keys to the file of keys and revoking them, beside a server that reads it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ...edge_runtime.errors import InputError, UsageError
from .keys import SCOPES, KeyFile, entry, new_key

_KEY_TABLE = re.compile(r"\s*\[\[\s*keys\s*\]\]")
_TABLE = re.compile(r"\s*\[")
_NOT_CONTENT = re.compile(r"\s*(#.*)?$")


def add_key(
    path: Path,
    name: str,
    scopes: tuple[str, ...] = ("detect", "count"),
    expires: datetime | None = None,
    plan: str = "",
) -> str:
    """Append a new key to the file, which is created where it is missing; the key itself.

    Raises:
        UsageError: an argument is invalid.
        InputError: the file is, or the plan is not in it.
    """
    if not name.isprintable() or '"' in name or "\\" in name or not 0 < len(name) <= 100:
        raise UsageError("--new-key: invalid name", "Use 1 to 100 letters, digits and spaces")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise UsageError("--scopes: unknown scope", f"Use some of {','.join(SCOPES)}")
    key = new_key()
    _edit(path, lambda text: text + entry(name, key, scopes, expires, plan))
    return key


def revoke(path: Path, name: str) -> int:
    """Remove the keys of this name from the file, and nothing else; how many there were.

    Raises:
        UsageError: there is none.
        InputError: the file cannot be used.
    """
    number = sum(key.name == name for key in KeyFile(path).keys.values())
    if not number:
        raise UsageError(f"--revoke: no key is named {name!r}", f"See the names in {path}")
    _edit(path, lambda text: _without(text, name), revoked=name)
    return number


def parse_expiry(text: str) -> datetime:
    """The time that `2027-01-01` or `2027-01-01T00:00:00Z` stands for; UTC where it has no zone.

    Raises:
        ValueError: not a time, or one that has passed.
    """
    when = datetime.fromisoformat(text)
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    if when <= datetime.now(UTC):
        raise ValueError(text)
    return when.astimezone(UTC).replace(microsecond=0)


def _without(text: str, name: str) -> str:
    """The text without the tables of the keys of this name."""
    kept: list[str] = []
    for block in _blocks(text):
        of_key = _KEY_TABLE.match(block[0]) if block else None
        content = len(block)
        while content and _NOT_CONTENT.match(block[content - 1]):
            content -= 1
        # A comment after a key belongs to what follows it.
        drop = of_key and _name_of("".join(block[:content])) == name
        kept += block[content:] if drop else block
    return "".join(kept)


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines of each table, its header first; those before the first table in front."""
    block: list[str] = []
    for line in text.splitlines(keepends=True):
        if _TABLE.match(line):
            yield block
            block = []
        block.append(line)
    yield block


def _name_of(table: str) -> str | None:
    found = re.search(r"""^\s*name\s*=\s*(["'])(.*?)\1""", table, re.MULTILINE)
    return found[2] if found else None


def _edit(path: Path, change: Callable[[str], str], revoked: str | None = None) -> None:
    """Replace the file by what `change` makes of it, if that is valid.

    A link is followed; mode and owner stay. A reader sees the old file or the new one.
    """
    try:
        with _locked(path.resolve().parent):
            _replace(path, change, revoked)
    except OSError as error:
        raise InputError(
            path, error.strerror or "cannot be written", "Check the folder and its permissions"
        ) from error


def _replace(path: Path, change: Callable[[str], str], revoked: str | None) -> None:
    target = path.resolve()
    before = target.stat() if target.exists() else None
    text = target.read_bytes().decode() if before and KeyFile(path) else ""
    content = change(text).encode()
    if revoked in {key.name for key in KeyFile.parse(path, content).values()}:
        raise UsageError(f"{path} is not written line by line", "Remove the key by hand")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        _write_new(temporary, content, before)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _write_new(path: Path, content: bytes, like: os.stat_result | None) -> None:
    """Write a file that only its owner can read, with the mode and owner of another at its end."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        if like is not None and sys.platform != "win32":
            with contextlib.suppress(PermissionError):
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time, so that two keys added at once are both there."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
