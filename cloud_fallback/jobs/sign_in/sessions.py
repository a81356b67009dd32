"""Sessions of browsers: a random cookie whose hash is stored, and protection from other sites.

A request that changes something must come from a page of this site (`Sec-Fetch-Site`, or `Origin`)
and carry the session's own token: in the header `X-CSRF-Token`, or as the field `csrf` of a form.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from fastapi import Request
from sqlalchemy import Connection, Row

from ..accounts import Account, videos_of
from ..clock import DAY, now_us
from ..problems import ProblemError
from ..tables import accounts, sessions

COOKIE = "__Host-session"
HEADER = "X-CSRF-Token"
FIELD = "csrf"
LIFE_DAYS = 14
SAFE = ("GET", "HEAD", "OPTIONS")
MAX_FORM_BYTES = 64 << 10
FORM = "application/x-www-form-urlencoded"


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


async def account_of_session(request: Request) -> Account | None:
    """The account of a browser's session, which a request that changes something must prove.

    Raises:
        ProblemError: 403 if it comes from another site, or without the session's token.
    """
    account = await session_of(request)
    if account is None or request.method in SAFE:
        return account
    check_site(request)
    given = request.headers.get(HEADER) or await token_in_form(request)
    check_csrf(account, given)
    return account


async def session_of(request: Request) -> Account | None:
    """The account of a session, without the check of where the request comes from."""
    token = request.cookies.get(COOKIE, "")
    if not token or len(token) > 100:
        return None
    service = videos_of(request)
    row = await service.database.call(_find, _hash(token))
    if row is None:
        return None
    plan = service.settings.plans.of(row)
    return Account(row.id, plan, by_session=True, csrf=row.csrf, manages=True)


def check_csrf(account: Account, given: str) -> None:
    """Raise ProblemError (403) unless a token is the session's own."""
    if not account.csrf or not hmac.compare_digest(account.csrf.encode(), given.encode()):
        raise ProblemError(
            403,
            "the request lacks the token of its session",
            f"Send it as {HEADER}; GET /v1/account shows it",
            kind="csrf",
        )


def check_site(request: Request, *, required: bool = True) -> None:
    """Raise ProblemError (403) for a request that a page of another site makes.

    Args:
        required: refuse requests that do not say where they come from; browsers always do.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        same = site in ("same-origin", "none")
    elif origin is not None:
        same = _same_origin(request, origin)
    else:
        same = not required
    if not same:
        raise ProblemError(
            403, "the request comes from another site", "Use this site's own page", kind="site"
        )


def _same_origin(request: Request, origin: str) -> bool:
    public = videos_of(request).settings.accounts.public_url
    ours = urlsplit(public).netloc if public else request.headers.get("host", "")
    try:
        return bool(ours) and urlsplit(origin).netloc.lower() == ours.lower()
    except ValueError:
        return False


async def token_in_form(request: Request) -> str:
    """The token in a small form."""
    length = request.headers.get("content-length", "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM or not length.isascii() or not length.isdigit():
        return ""
    if int(length) > MAX_FORM_BYTES:
        return ""
    value = (await request.form()).get(FIELD)
    return value if isinstance(value, str) else ""


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _find(connection: Connection, token_sha256: str) -> Row[Any] | None:
    return connection.execute(
        sa.select(accounts, sessions.c.csrf)
        .join(sessions, sessions.c.account == accounts.c.id)
        .where(sessions.c.token_sha256 == token_sha256, sessions.c.expires > now_us())
    ).one_or_none()
