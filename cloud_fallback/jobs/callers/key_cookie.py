"""Signing in with an API key: the browser keeps the key in a cookie that no script can read.

So it can do what the key can, and ends with the key.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from fastapi import Request

from ..accounts import Account
from .api_key import account_of_api_key
from .key_file import account_of_key_file
from .session import HEADER, SAFE, check_csrf, check_site, token_in_form

COOKIE = "__Host-key"
LIFE_S = 14 * 86_400
MAX_KEY = 200


def key_cookie(key: str) -> str:
    """The value of `Set-Cookie`; an empty key removes the cookie."""
    life = LIFE_S if key else 0
    return f"{COOKIE}={key}; Path=/; Max-Age={life}; Secure; HttpOnly; SameSite=Lax"


async def account_of_key(request: Request, key: str) -> Account | None:
    """The account of a key, as of a request that had it as its header; None for another text."""
    if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable() or " " in key:
        return None
    others = [one for one in request.scope["headers"] if one[0] != b"authorization"]
    headers = [*others, (b"authorization", f"Bearer {key}".encode())]
    asked = Request({**request.scope, "headers": headers})
    account = await account_of_key_file(asked) or await account_of_api_key(asked)
    if account is None:
        return None
    csrf = hashlib.sha256(f"token of forms for {key}".encode()).hexdigest()
    return replace(account, by_session=True, csrf=csrf)


async def key_account_of(request: Request) -> Account | None:
    """The account of the cookie, without the check of where the request comes from."""
    return await account_of_key(request, request.cookies.get(COOKIE, ""))


async def account_of_key_cookie(request: Request) -> Account | None:
    """The account of the cookie; a request that changes something must prove its page.

    Raises:
        ProblemError: 403 if it comes from another site, or without the token of the page.
    """
    account = await key_account_of(request)
    if account is None or request.method in SAFE:
        return account
    check_site(request)
    check_csrf(account, request.headers.get(HEADER) or await token_in_form(request))
    return account
