"""Authentication of callers: keys, short-lived tokens, single-use tickets."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jwt

from ...edge_runtime.errors import InputError, UsageError
from .keys import Key, KeyFile, hash_of

TOKEN_SECONDS = 900
TICKET_SECONDS = 30
MIN_SECRET_BYTES = 32
TOKEN_SCOPES = ("detect", "count")
TICKET_PREFIX = "ticket."
MAX_TICKETS = 10_000
_ALGORITHM = "HS256"


@dataclass(frozen=True)
class Caller:
    """An authenticated client.

    Args:
        key: its key, or that which issued its credential.
        until: when its credential ends, seconds since 1970.
        scopes: what it may do: those of the key, or fewer.
    """

    key: Key
    until: float
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether the client may do this."""
        return scope in self.scopes


@dataclass(frozen=True)
class _Ticket:
    """The client that a ticket stands for, and until when it can be used."""

    caller: Caller
    until: float


class Auth:
    """Checks credentials, signs tokens and issues tickets.

    Args:
        keys: the file of keys.
        origins: of web pages that may connect; browsers send theirs, devices send none.
        secret: signs tokens; without one a new one is made, and tokens end with this process.
        tickets: whether this server issues tickets for web pages.

    Raises:
        UsageError: the secret is short enough to be guessed.
    """

    def __init__(
        self,
        keys: KeyFile,
        origins: Collection[str] = (),
        secret: bytes | None = None,
        *,
        tickets: bool = True,
    ) -> None:
        self.keys = keys
        self.tickets = tickets
        self._origins = frozenset(origins)
        self._secret = check_secret(secret) or secrets.token_bytes(32)
        self._tickets: dict[str, _Ticket] = {}

    def allows_origin(self, origin: str | None) -> bool:
        """Whether a web page of this origin may connect; only browsers send an origin."""
        return origin is None or origin in self._origins

    def caller(self, authorization: str | None) -> Caller | None:
        """The caller of an `Authorization` header; None without a valid key or token."""
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not credential or len(credential) > 4096:
            return None
        key = self.keys.keys.get(hash_of(credential))
        if key is None:
            return self._of_token(credential)
        return self._valid(Caller(key, key.expires.timestamp(), key.scopes))

    def caller_of_ticket(self, subprotocols: Sequence[str]) -> Caller | None:
        """The caller of the ticket among the subprotocols; a ticket is valid once."""
        shown = [one for one in subprotocols if one.startswith(TICKET_PREFIX)]
        if len(shown) != 1:
            return None
        ticket = self._tickets.pop(hash_of(shown[0].removeprefix(TICKET_PREFIX)), None)
        if ticket is None or ticket.until <= time.time():
            return None
        return self._valid(ticket.caller)

    def token(
        self, caller: Caller, scopes: Collection[str] = TOKEN_SCOPES
    ) -> tuple[str, int, list[str]]:
        """A token that stands for the caller, its lifetime in seconds, and its scopes.

        It has those of `scopes` that the caller has.
        """
        seconds = int(min(TOKEN_SECONDS, caller.until - time.time()))
        granted = sorted(caller.scopes & frozenset(scopes))
        claims = {
            "sub": caller.key.sha256,
            "exp": int(time.time()) + seconds,
            "scopes": granted,
        }
        return jwt.encode(claims, self._secret, _ALGORITHM), seconds, granted

    def ticket(self, caller: Caller) -> tuple[str, int]:
        """A ticket for one connection of a web page, and its lifetime in seconds."""
        now = time.time()
        self._tickets = {k: one for k, one in self._tickets.items() if one.until > now}
        while len(self._tickets) >= MAX_TICKETS:
            self._tickets.pop(next(iter(self._tickets)))
        ticket = secrets.token_hex(16)
        self._tickets[hash_of(ticket)] = _Ticket(caller, now + TICKET_SECONDS)
        return ticket, TICKET_SECONDS

    def _of_token(self, token: str) -> Caller | None:
        try:
            claims: Mapping[str, object] = jwt.decode(
                token, self._secret, [_ALGORITHM], options={"require": ["exp", "sub"]}
            )
        except jwt.PyJWTError:
            return None
        key = self.keys.keys.get(str(claims["sub"]))
        if key is None:
            return None
        listed = claims.get("scopes", TOKEN_SCOPES)
        scopes = frozenset(listed) if isinstance(listed, (list, tuple)) else frozenset()
        return self._valid(Caller(key, float(str(claims["exp"])), scopes & key.scopes))

    def _valid(self, caller: Caller) -> Caller | None:
        return caller if self.still_valid(caller) else None

    def still_valid(self, caller: Caller) -> bool:
        """Whether key and credential have not ended, and the key in the file has the scopes."""
        key = self.keys.keys.get(caller.key.sha256)
        if key is None or key.expires <= datetime.now(UTC) or caller.until <= time.time():
            return False
        return caller.scopes <= key.scopes


def read_token_secret(path: Path | None) -> bytes | None:
    """The secret of tokens in a file; None without one.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise InputError(path or "", reason, "Make one: openssl rand -hex 32 > FILE") from error


def check_secret(secret: bytes | None) -> bytes | None:
    """The secret of tokens; raises UsageError where it is short enough to be guessed."""
    if secret is not None and len(secret) < MIN_SECRET_BYTES:
        raise UsageError(
            f"the secret of tokens has {len(secret)} bytes",
            f"Use at least {MIN_SECRET_BYTES} random bytes, as in openssl rand -hex 32",
        )
    return secret
