"""Authentication of callers: keys, short-lived tokens, single-use tickets."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from .keys import Key, KeyFile, hash_of

TOKEN_SECONDS = 900
TICKET_SECONDS = 30
TICKET_PREFIX = "ticket."
MAX_TICKETS = 10_000
_ALGORITHM = "HS256"


@dataclass(frozen=True)
class Caller:
    """An authenticated key, and until when its credential is valid (seconds since 1970)."""

    key: Key
    until: float

    def may(self, scope: str) -> bool:
        """Whether the key has the scope."""
        return scope in self.key.scopes


class Auth:
    """Checks credentials, signs tokens and issues tickets.

    Args:
        keys: the file of keys.
        origins: of web pages that may connect; browsers send theirs, devices send none.
        secret: signs tokens; without one a new one is made, and tokens end with this process.
        tickets: whether this server issues tickets for web pages.
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
        self._secret = secret or secrets.token_bytes(32)
        self._tickets: dict[str, Caller] = {}

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
        return self._valid(Caller(key, key.expires.timestamp()))

    def caller_of_ticket(self, subprotocols: Sequence[str]) -> Caller | None:
        """The caller of the ticket among the subprotocols; a ticket is valid once."""
        shown = [one for one in subprotocols if one.startswith(TICKET_PREFIX)]
        if len(shown) != 1:
            return None
        caller = self._tickets.pop(hash_of(shown[0].removeprefix(TICKET_PREFIX)), None)
        return self._valid(caller) if caller else None

    def token(self, caller: Caller) -> tuple[str, int]:
        """A token that stands for the caller, and its lifetime in seconds."""
        seconds = int(min(TOKEN_SECONDS, caller.until - time.time()))
        claims = {"sub": caller.key.sha256, "exp": int(time.time()) + seconds}
        return jwt.encode(claims, self._secret, _ALGORITHM), seconds

    def ticket(self, caller: Caller) -> tuple[str, int]:
        """A ticket for one connection of a web page, and its lifetime in seconds."""
        now = time.time()
        self._tickets = {k: one for k, one in self._tickets.items() if one.until > now}
        while len(self._tickets) >= MAX_TICKETS:
            self._tickets.pop(next(iter(self._tickets)))
        ticket = secrets.token_hex(16)
        self._tickets[hash_of(ticket)] = Caller(caller.key, now + TICKET_SECONDS)
        return ticket, TICKET_SECONDS

    def _of_token(self, token: str) -> Caller | None:
        try:
            claims: Mapping[str, object] = jwt.decode(
                token, self._secret, [_ALGORITHM], options={"require": ["exp", "sub"]}
            )
        except jwt.PyJWTError:
            return None
        key = self.keys.keys.get(str(claims["sub"]))
        return self._valid(Caller(key, float(str(claims["exp"])))) if key else None

    def _valid(self, caller: Caller) -> Caller | None:
        return caller if self.still_valid(caller) and caller.until > time.time() else None

    def connected(self, caller: Caller) -> Caller:
        """The caller once connected: no longer bound to its ticket or token, only to its key."""
        return Caller(caller.key, caller.key.expires.timestamp())

    def still_valid(self, caller: Caller) -> bool:
        """Whether the key is in the file as it is now, and has not expired."""
        key = self.keys.keys.get(caller.key.sha256)
        return key is not None and key.expires > datetime.now(UTC)
