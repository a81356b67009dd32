"""Which socket is dropped where too many are open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tallylens.cloud_fallback.server.metrics import Metrics
from tallylens.cloud_fallback.server.socket_pool import (
    SocketEntry,
    SocketLimits,
    SocketPool,
    address_group,
)


def dropped(
    limits: SocketLimits, use: Callable[[Callable[[str], SocketEntry], SocketPool], None]
) -> list[str]:
    """The addresses of the sockets that were dropped, in their order."""
    found: list[str] = []

    async def main() -> None:
        pool = SocketPool(limits, Metrics())

        def add(address: str) -> SocketEntry:
            return pool.add(address, lambda: found.append(address))

        use(add, pool)

    asyncio.run(main())
    return found


def test_the_oldest_socket_of_a_crowded_address_is_dropped() -> None:
    def use(add: Callable[[str], SocketEntry], pool: SocketPool) -> None:
        for _ in range(5):
            add("10.0.0.1")
        add("10.0.0.2")
        assert len(pool) == 4

    assert dropped(SocketLimits(waiting_of_address=3), use) == ["10.0.0.1"] * 2


def test_a_full_pool_drops_those_of_the_address_with_the_most() -> None:
    def use(add: Callable[[str], SocketEntry], pool: SocketPool) -> None:
        for address in ("10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.3", "10.0.0.3"):
            add(address)
        add("10.0.0.3")

    assert dropped(SocketLimits(waiting=4, waiting_of_address=3), use) == ["10.0.0.2", "10.0.0.3"]


def test_accepted_websockets_are_never_dropped_for_others() -> None:
    def use(add: Callable[[str], SocketEntry], pool: SocketPool) -> None:
        for _ in range(4):
            add("10.0.0.1").admitted()
        add("10.0.0.2")
        assert len(pool) == 4

    assert dropped(SocketLimits(sockets=4), use) == ["10.0.0.2"]


def test_a_socket_that_is_closed_is_no_longer_counted() -> None:
    def use(add: Callable[[str], SocketEntry], pool: SocketPool) -> None:
        for entry in [add("10.0.0.1") for _ in range(3)]:
            entry.closed()
            entry.closed()
        assert not len(pool)

    assert not dropped(SocketLimits(waiting_of_address=3), use)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_one_customer_is_one_address(one: str, other: str, same: bool) -> None:
    assert (address_group(one) == address_group(other)) is same
