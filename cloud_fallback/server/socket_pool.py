"""The sockets of a server, bounded in number and time until their client is let in.

An untrusted client costs one entry until its request is complete, and as long as it does not become
an accepted websocket, whose number the plan of its key limits. Where too many such sockets are
open, the oldest of the address with the most of them is dropped for the newest, so that a probe or
an honest client still gets through beside a flood.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .logs import RateLimitedLog
from .metrics import Metrics
from .proxies import TrustedProxies

log = logging.getLogger("tallylens.server")
# Descriptors for everything that is not a client: models, logs, pipes, databases.
RESERVED_DESCRIPTORS = 64
MAX_DESCRIPTORS = 65_536


def _descriptors() -> int:
    """How many sockets this process may have open."""
    if sys.platform == "win32":
        return MAX_DESCRIPTORS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    return max(16, min(allowed, MAX_DESCRIPTORS) - RESERVED_DESCRIPTORS)


@dataclass(frozen=True)
class SocketLimits:
    """Bounds of the sockets that are not accepted websockets.

    Args:
        request_s: how long a client may take for TLS and a complete request.
        sockets: maximum number of all sockets; 0 for what the limit of descriptors allows.
        waiting: maximum number without an accepted websocket; 0 for half of `sockets`.
        waiting_of_address: the same for one address; 0 for a half of `waiting`.
    """

    request_s: float = 10.0
    sockets: int = 0
    waiting: int = 0
    waiting_of_address: int = 0

    def resolved(self) -> SocketLimits:
        """The limits with a number for each 0."""
        sockets = self.sockets or _descriptors()
        waiting = self.waiting or min(4096, max(8, sockets // 2))
        of_address = self.waiting_of_address or max(4, waiting // 2)
        return SocketLimits(self.request_s, sockets, waiting, of_address)


class SocketEntry:
    """One socket of the pool.

    Args:
        pool: to which it belongs.
        address: of the client, as logs show it.
        drop: closes the socket at once, whatever it is doing.
    """

    def __init__(self, pool: SocketPool, address: str, drop: Callable[[], None]) -> None:
        self._pool, self.address, self.group = pool, address, address_group(address)
        self._peer = address
        self.drop = drop
        self.time_out: Callable[[], None] = drop
        self._timer: asyncio.TimerHandle | None = None
        self._body_s: float | None = None
        self.expect_request()

    def expect_request(self) -> None:
        """A complete request must arrive within the time limit from now on."""
        self._body_s = None
        self._expire_in(self._pool.limits.request_s)

    def expect_body(self, idle_s: float) -> None:
        """The rest of this request may take any time, but not `idle_s` seconds without a byte."""
        if self._timer is not None:
            self._body_s = idle_s
            self._expire_in(idle_s)

    def body_received(self) -> None:
        """A part of the body has arrived."""
        if self._body_s is not None:
            self._expire_in(self._body_s)

    def _expire_in(self, seconds: float) -> None:
        self.request_received()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def request_from(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The address of the client of a request: as a named proxy says, or where it came from."""
        client = self._pool.proxies.client(self._peer, headers) or self._peer
        if client != self.address:
            self.address = client
            self._pool.regroup(self, address_group(client))
        return client

    def request_received(self) -> None:
        """The request is complete: the server is the one to act."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def admitted(self) -> None:
        """The socket is an accepted websocket now, which other limits bound."""
        self.request_received()
        self._pool.admit(self)

    def closed(self) -> None:
        """The socket is closed; may be called again."""
        self.request_received()
        self._pool.remove(self)

    def _expire(self) -> None:
        self._timer = None
        self._pool.report("deadline", self)
        self.time_out()


class SocketPool:
    """All sockets of one server; belongs to the event loop.

    Args:
        limits: how many, and for how long.
        metrics: shows how many there are, and counts those that were dropped.
        proxies: which name their clients; the limit of one address is not for them.
    """

    def __init__(
        self, limits: SocketLimits, metrics: Metrics, proxies: TrustedProxies | None = None
    ) -> None:
        self.limits = limits.resolved()
        self.proxies = proxies or TrustedProxies()
        self._metrics = metrics
        self._waiting: dict[str, dict[SocketEntry, None]] = {}
        self._number_waiting = 0
        self._admitted: set[SocketEntry] = set()
        self._log = RateLimitedLog(log)
        metrics.watch_sockets(lambda: self._number_waiting, lambda: len(self._admitted))

    def __len__(self) -> int:
        return self._number_waiting + len(self._admitted)

    def add(self, address: str, drop: Callable[[], None]) -> SocketEntry:
        """Take a new socket, and drop the one that is too many for it."""
        entry = SocketEntry(self, address, drop)
        self._waiting.setdefault(entry.group, {})[entry] = None
        self._number_waiting += 1
        self._drop_surplus(entry)
        return entry

    def regroup(self, entry: SocketEntry, group: str) -> None:
        """Count a socket that waits for the address of its client, as a proxy names it."""
        if self._forget_waiting(entry):
            entry.group = group
            self._waiting.setdefault(group, {})[entry] = None
            self._number_waiting += 1
            self._drop_surplus(entry)

    def _drop_surplus(self, newest: SocketEntry) -> None:
        surplus = self._surplus(newest)
        if surplus is not None:
            self.report("crowded", surplus)
            surplus.closed()
            surplus.drop()

    def _surplus(self, newest: SocketEntry) -> SocketEntry | None:
        """The socket to drop: the oldest of the address that has the most."""
        own, limits = self._waiting[newest.group], self.limits
        if len(own) > limits.waiting_of_address and not self.proxies.trusts(newest.address):
            return next(iter(own))
        if self._number_waiting > limits.waiting or len(self) > limits.sockets:
            fullest: dict[SocketEntry, None] = max(self._waiting.values(), key=len)
            return next(iter(fullest))
        return None

    def admit(self, entry: SocketEntry) -> None:
        """Move an entry from those that wait to those of accepted websockets."""
        if self._forget_waiting(entry):
            self._admitted.add(entry)

    def remove(self, entry: SocketEntry) -> None:
        """Forget an entry, if it is known."""
        self._forget_waiting(entry)
        self._admitted.discard(entry)

    def _forget_waiting(self, entry: SocketEntry) -> bool:
        group = self._waiting.get(entry.group, {})
        if entry not in group:
            return False
        del group[entry]
        self._number_waiting -= 1
        if not group:
            del self._waiting[entry.group]
        return True

    def report(self, why: str, entry: SocketEntry) -> None:
        """Count a dropped socket, and log it unless there are many."""
        self._metrics.socket_dropped(why)
        self._log.warning("socket dropped", why, {"why": why, "address": entry.address})


def address_group(address: str) -> str:
    """The address for the limits: of IPv6 the /64 network, which is one customer's."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))
