"""Keys of the key file of `tallylens serve`: those of one name share an account."""

from __future__ import annotations

from fastapi import Request

from ...server.access import service_of
from ..accounts import SCOPE, Account, ensure_account
from ..identifiers import derived_id
from ..plans import UNLIMITED
from ..problems import ProblemError
from .dependencies import videos_of


async def account_of_key_file(request: Request) -> Account | None:
    """The account of a key in the key file; keys of one name share it, so that one can be changed.

    Raises:
        ProblemError: 403 if the key lacks the scope.
    """
    caller = service_of(request).auth.caller(request.headers.get("authorization"))
    if caller is None:
        return None
    if not caller.may(SCOPE):
        raise ProblemError(
            403, f"the key lacks the scope {SCOPE}", f"Use a key made with --scopes {SCOPE}"
        )
    name = caller.key.name
    identifier = derived_id("acc", name)
    service = videos_of(request)
    if identifier not in service.known_accounts:
        await service.database.call(ensure_account, identifier, name)
        service.known_accounts.add(identifier)
    return Account(identifier, UNLIMITED)
