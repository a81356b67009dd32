"""Identifiers of rows: a prefix and 26 characters that sort by the time they were made.

They are ULIDs (https://github.com/ulid/spec): 48 bits of milliseconds and 80 random bits in
Crockford's base 32. So the order of identifiers is the order of creation, which lists page by.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
PATTERN = re.compile(r"[a-z]{3}_[0-9A-HJKMNP-TV-Z]{26}")


def new_id(prefix: str) -> str:
    """A new identifier such as `vid_01JZ...`; `prefix` has three letters."""
    return with_prefix(prefix, _encode((time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)))


def derived_id(prefix: str, text: str) -> str:
    """The identifier that belongs to `text`, the same each time."""
    return with_prefix(prefix, _encode(int(hashlib.sha256(text.encode()).hexdigest(), 16) >> 128))


def with_prefix(prefix: str, identifier: str) -> str:
    """The identifier of another table for the same thing: an upload's video, its first job."""
    return f"{prefix}_{identifier[-LENGTH:]}"


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` could be an identifier with this prefix."""
    return text.startswith(f"{prefix}_") and PATTERN.fullmatch(text) is not None


def _encode(number: int) -> str:
    return "".join(_DIGITS[number >> shift & 31] for shift in range(5 * LENGTH - 5, -1, -5))
