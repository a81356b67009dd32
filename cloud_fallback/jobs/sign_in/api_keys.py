"""API keys in the database, beside those of the key file: made by an account for its programs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from ...server.keys import hash_of, new_key
from ..accounts import SCOPE
from ..clock import DAY, now_us
from ..identifiers import new_id
from ..problems import ProblemError
from ..tables import accounts, api_keys

MANAGE = "account"
SCOPES = (SCOPE, MANAGE)
MOST = 50


def insert_key(
    connection: Connection, account: str, name: str, scopes: list[str], days: int | None
) -> tuple[Row[Any], str]:
    """Add a key; returns its row and the key itself, which is stored nowhere.

    Raises:
        ProblemError: 409 if the account has too many.
    """
    query = sa.select(sa.func.count()).select_from(api_keys).where(api_keys.c.account == account)
    if connection.execute(query).scalar_one() >= MOST:
        raise ProblemError(409, f"the account has {MOST} keys", "Delete one")
    key, identifier, now = new_key(), new_id("key"), now_us()
    connection.execute(
        sa.insert(api_keys).values(
            id=identifier,
            account=account,
            sha256=hash_of(key),
            name=name,
            scopes=",".join(sorted(set(scopes))),
            created=now,
            expires=None if days is None else now + days * DAY,
        )
    )
    row = connection.execute(sa.select(api_keys).where(api_keys.c.id == identifier)).one()
    return row, key


def delete_key(connection: Connection, account: str, key: str) -> bool:
    """Delete a key by its identifier; False if the account has none such."""
    deleted = connection.execute(
        sa.delete(api_keys)
        .where(api_keys.c.id == key, api_keys.c.account == account)
        .returning(api_keys.c.id)
    )
    return deleted.first() is not None


def find_account(connection: Connection, key: str) -> Row[Any] | None:
    """The account of a key, with its `scopes`, `used` and `key_id`."""
    return connection.execute(
        sa.select(accounts, api_keys.c.scopes, api_keys.c.used, api_keys.c.id.label("key_id"))
        .join(api_keys, api_keys.c.account == accounts.c.id)
        .where(
            api_keys.c.sha256 == hash_of(key),
            sa.or_(api_keys.c.expires.is_(None), api_keys.c.expires > now_us()),
        )
    ).one_or_none()


def note_use(connection: Connection, key: str) -> None:
    """Write the time of the last use of a key, by its identifier."""
    connection.execute(sa.update(api_keys).where(api_keys.c.id == key).values(used=now_us()))
