"""Accepts sockets, each entered in the pool before its first byte or TLS handshake."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from .logs import RateLimitedLog
from .socket_pool import SocketEntry, SocketPool

log = logging.getLogger("tallylens.server")
# After an error of accept(), such as no descriptors: the next try comes this much later.
RETRY_S = 0.1
TLS_SHUTDOWN_S = 2.0


class Acceptor:
    """Listens on one socket. The interface is that of `asyncio.Server`, as uvicorn uses it.

    Args:
        listening: a bound socket.
        pool: bounds the sockets.
        protocol: makes the protocol of a connection, given its entry.
        tls: the TLS settings of a new connection; None for none.
    """

    def __init__(
        self,
        listening: socket.socket,
        pool: SocketPool,
        protocol: Callable[[SocketEntry], asyncio.Protocol],
        tls: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self._listening, self._pool = listening, pool
        self._protocol, self._tls = protocol, tls
        self._log = RateLimitedLog(log)
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    def start(self, backlog: int) -> None:
        """Start to accept."""
        self._listening.setblocking(False)
        self._listening.listen(backlog)
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Stop accepting; sockets without a connection yet are dropped."""
        if self._accepting is not None:
            self._accepting.cancel()
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until nothing is accepted any more."""
        tasks = [*self._tasks, *([self._accepting] if self._accepting else [])]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(self._listening)
            except OSError as error:
                self._log.warning("cannot accept", "accept", {"error": error.strerror})
                await asyncio.sleep(RETRY_S)
                continue
            self._take(client, str(address[0]))

    def _take(self, client: socket.socket, address: str) -> None:
        """Enter an accepted socket in the pool, and start its connection."""

        def drop() -> None:
            task.cancel()

        entry = self._pool.add(address, drop)
        task = asyncio.get_running_loop().create_task(self._connect(client, entry))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._connected(done, client, entry))

    async def _connect(self, client: socket.socket, entry: SocketEntry) -> None:
        """Make the connection of an accepted socket; TLS first, if any."""
        context = self._tls()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: self._protocol(entry),
            client,
            ssl=context,
            ssl_handshake_timeout=None if context is None else self._pool.limits.request_s,
            ssl_shutdown_timeout=None if context is None else TLS_SHUTDOWN_S,
        )

    def _connected(
        self, task: asyncio.Task[None], client: socket.socket, entry: SocketEntry
    ) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return
        # A protocol hears of the end of a connection only if it was made.
        entry.closed()
        client.close()
        if isinstance(error, ssl.SSLError):
            self._pool.report("tls", entry)
        elif not isinstance(error, OSError | None):
            log.error("cannot connect", exc_info=error)
