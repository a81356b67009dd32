"""Limits on guessing: after some tries, each further one waits twice as long as the one before.

A try is counted before it is known whether it succeeds, so that many at once are not more than one
after the other. E-mail addresses without an account are limited in the same way as those with one.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from ..clock import DAY, SECOND, now_us
from ..database import insert_if_absent
from ..problems import ProblemError
from ..rate_limit import RateLimit
from ..tables import address_requests


@dataclass(frozen=True)
class GuessLimit:
    """One limit.

    Args:
        kind: its name.
        free: tries without waiting.
        first_s, most_s: seconds to wait after the first try beyond, and at most.
    """

    kind: str
    free: int
    first_s: float = 30.0
    most_s: float = 3600.0

    def wait_us(self, number: int) -> int:
        """Microseconds to wait after this many tries."""
        beyond = number - self.free
        if beyond < 0:
            return 0
        return int(min(self.first_s * 2.0 ** min(beyond, 30), self.most_s) * SECOND)


BY_EMAIL = GuessLimit("sign-in", 5)
BY_ADDRESS = GuessLimit("sign-in-address", 30)
SIGN_UPS = GuessLimit("sign-up", 10)
RESETS = GuessLimit("reset", 10)
RESETS_OF_EMAIL = GuessLimit("reset-email", 3, 300.0)
LINKS = GuessLimit("link", 30)


def network_of(address: str) -> str:
    """The subject of limits by address: itself; in IPv6 its /64 network, which one person has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address


def of_email(email: str) -> str:
    """The subject of limits by e-mail address; the address itself is not stored."""
    return f"sha256:{hashlib.sha256(email.encode()).hexdigest()}"


def note_try(connection: Connection, limit: GuessLimit, subject: str) -> ProblemError | None:
    """Count a try; the problem (429) if it comes too early, which the caller raises afterwards.

    It is returned, since raising it here would take back what the transaction has counted.
    """
    now = now_us()
    row = {"address": subject, "kind": limit.kind, "number": 0, "since": now}
    insert_if_absent(connection, address_requests, row)
    found = connection.execute(
        sa.select(address_requests).where(*_is(limit, subject)).with_for_update()
    ).one()
    number, locked = found.number, found.locked_until or 0
    if locked > now:
        return _too_many(limit, (locked - now) / SECOND)
    if found.since + DAY < now:
        number = 0
    number += 1
    connection.execute(
        sa.update(address_requests)
        .where(*_is(limit, subject))
        .values(number=number, since=now, locked_until=now + limit.wait_us(number))
    )
    return None


def forgive(connection: Connection, limit: GuessLimit, subject: str) -> None:
    """Forget all tries: the last one succeeded."""
    connection.execute(sa.delete(address_requests).where(*_is(limit, subject)))


def take_back(connection: Connection, limit: GuessLimit, subject: str) -> None:
    """Forget the last try only: the address may be that of others too."""
    connection.execute(
        sa.update(address_requests)
        .where(*_is(limit, subject), address_requests.c.number > 0)
        .values(number=address_requests.c.number - 1, locked_until=None)
    )


def forget_old(connection: Connection) -> None:
    """Delete what is older than a day."""
    connection.execute(sa.delete(address_requests).where(address_requests.c.since < now_us() - DAY))


def _is(limit: GuessLimit, subject: str) -> tuple[sa.ColumnElement[bool], ...]:
    return address_requests.c.address == subject, address_requests.c.kind == limit.kind


def _too_many(limit: GuessLimit, wait_s: float) -> ProblemError:
    return ProblemError(
        429,
        "too many tries",
        "Wait as long as Retry-After says",
        retry_s=wait_s,
        limit=RateLimit(limit.kind, limit.free, 86_400),
    )
