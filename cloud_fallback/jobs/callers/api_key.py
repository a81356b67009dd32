"""The account of an API key in the database."""

from __future__ import annotations

from fastapi import Request

from ...server.keys import PREFIX
from ..accounts import SCOPE, Account
from ..clock import SECOND, now_us
from ..problems import ProblemError
from ..sign_in.api_keys import MANAGE, find_account, note_use
from .dependencies import videos_of

# The time of the last use is written at most this often.
USED_EVERY = 60 * SECOND


async def account_of_api_key(request: Request) -> Account | None:
    """The account of a key of the database.

    Raises:
        ProblemError: 403 if the key lacks the scope.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.startswith(PREFIX) or len(key) > 100:
        return None
    service = videos_of(request)
    row = await service.database.call(find_account, key)
    if row is None:
        return None
    scopes = row.scopes.split(",")
    if SCOPE not in scopes:
        raise ProblemError(403, f"the key lacks the scope {SCOPE}", "Use another key")
    if (row.used or 0) < now_us() - USED_EVERY:
        await service.database.call(note_use, row.key_id)
    return Account(row.id, service.settings.plans.of(row), manages=MANAGE in scopes)
