"""Sessions of browsers: a random cookie whose hash is stored."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from ..clock import DAY, now_us
from ..tables import accounts, sessions

COOKIE = "__Host-session"
LIFE_DAYS = 14


@dataclass(frozen=True)
class OpenedSession:
    """A new session.

    Args:
        token: of the cookie; its hash is all that is stored.
        csrf: token that requests which change something carry.
        expires: microseconds since 1970.
    """

    token: str
    csrf: str
    expires: int

    def cookie(self) -> str:
        """The value of `Set-Cookie`."""
        return _cookie(self.token, LIFE_DAYS * 86_400)


def ended_cookie() -> str:
    """The value of `Set-Cookie` that removes the cookie."""
    return _cookie("", 0)


def _cookie(value: str, seconds: int) -> str:
    return f"{COOKIE}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax"


def insert_session(connection: Connection, account: str) -> OpenedSession:
    """Add a session of an account."""
    opened = OpenedSession(
        secrets.token_urlsafe(32), secrets.token_urlsafe(32), now_us() + LIFE_DAYS * DAY
    )
    connection.execute(
        sa.insert(sessions).values(
            token_sha256=_hash(opened.token),
            account=account,
            csrf=opened.csrf,
            created=now_us(),
            expires=opened.expires,
        )
    )
    return opened


def end_session(connection: Connection, token: str) -> None:
    """Delete a session."""
    connection.execute(sa.delete(sessions).where(sessions.c.token_sha256 == _hash(token)))


def end_sessions(connection: Connection, account: str) -> None:
    """Delete all sessions of an account."""
    connection.execute(sa.delete(sessions).where(sessions.c.account == account))


def forget_expired(connection: Connection) -> None:
    """Delete sessions that have expired."""
    connection.execute(sa.delete(sessions).where(sessions.c.expires <= now_us()))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def find_account(connection: Connection, token: str) -> Row[Any] | None:
    """The account of a session, with its `csrf` token."""
    return connection.execute(
        sa.select(accounts, sessions.c.csrf)
        .join(sessions, sessions.c.account == accounts.c.id)
        .where(sessions.c.token_sha256 == _hash(token), sessions.c.expires > now_us())
    ).one_or_none()
