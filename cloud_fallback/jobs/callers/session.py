"""The account of a browser's session, and protection from requests of other sites.

A request that changes something must come from a page of this site (`Sec-Fetch-Site`, or `Origin`)
and carry the session's own token: in the header `X-CSRF-Token`, or as the field `csrf` of a form.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from fastapi import Request

from ..accounts import Account
from ..problems import ProblemError
from ..sign_in.sessions import COOKIE, find_account
from .dependencies import videos_of

HEADER = "X-CSRF-Token"
FIELD = "csrf"
SAFE = ("GET", "HEAD", "OPTIONS")
MAX_FORM_BYTES = 64 << 10
FORM = "application/x-www-form-urlencoded"


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
    row = await service.database.call(find_account, token)
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
