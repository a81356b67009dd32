"""The application on uvicorn: TLS, limits of the socket, and an orderly shutdown."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from ...edge_runtime.errors import InputError, UnavailableError, UsageError
from ..wire.constants import MAX_FRAME_BYTES
from ..wire.frames import HEADER_BYTES
from ..wire.url import is_loopback
from .acceptor import Acceptor
from .app import create_app
from .http_protocols import HttpProtocol, WebsocketProtocol
from .logs import silence_libraries
from .service import Service
from .socket_pool import SocketEntry, SocketLimits, SocketPool

# How long a thread of a detector may keep the interpreter from the sockets; Python's own 5 ms for
# each of several threads would be most of a frame's time.
SWITCH_SECONDS = 0.0005


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` on the fastest event loop installed."""
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        from uvloop import run
    except ImportError:  # not available for Windows
        asyncio.run(main)
    else:
        run(main)


@dataclass(frozen=True)
class Address:
    """Where to listen, and the files of TLS; without them on loopback only."""

    host: str = "127.0.0.1"
    port: int = 8443
    certificate: Path | None = None
    key: Path | None = None

    def check(self) -> None:
        """Raise UsageError where keys and images would be sent unencrypted."""
        if (self.certificate is None) != (self.key is None):
            raise UsageError("--tls-cert and --tls-key belong together", "Give both")
        if self.certificate is None and not is_loopback(self.host):
            raise UsageError(
                f"{self.host} is not a loopback address, and TLS is off",
                "Add --tls-cert and --tls-key, or listen on 127.0.0.1",
            )


@dataclass
class Server:
    """A service that listens; `port` is the actual one once `bind` was called."""

    service: Service
    address: Address
    limits: SocketLimits = field(default_factory=SocketLimits)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    def __post_init__(self) -> None:
        self.address.check()
        silence_libraries()
        self._uvicorn = _Uvicorn(self._config())
        self._uvicorn.service = self.service
        self.sockets = SocketPool(self.limits, self.service.metrics)
        self._uvicorn.pool = self.sockets

    def _config(self) -> uvicorn.Config:
        config = uvicorn.Config(
            create_app(self.service),
            ssl_certfile=self.address.certificate,
            ssl_keyfile=self.address.key,
            ws=WebsocketProtocol,
            ws_max_size=MAX_FRAME_BYTES + HEADER_BYTES,
            ws_per_message_deflate=False,
            http=HttpProtocol,
            # A client could claim any address.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            backlog=4096,
            timeout_graceful_shutdown=5,
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            shown = self.address.certificate or "certificate"
            raise InputError(
                shown, "the certificate and key cannot be used", "Give both as PEM files"
            ) from error
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        return config

    def bind(self) -> socket.socket:
        """The listening socket.

        Raises:
            UnavailableError: the port is in use, or the host is not an address of this machine.
        """
        host, port = self.address.host, self.address.port
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            bound = socket.socket(family, socket.SOCK_STREAM)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError as error:
            raise UnavailableError(
                f"cannot listen on {host}:{port} ({error.strerror})",
                "Choose another --host or --port",
            ) from error
        self.port = int(bound.getsockname()[1])
        return bound

    async def serve(self, bound: socket.socket | None = None) -> None:
        """Serve until a signal or `stop`."""
        bound = bound or self.bind()
        task = asyncio.create_task(self._uvicorn.serve([bound]))
        while not self._uvicorn.started and not task.done():
            await asyncio.sleep(0.01)
        self.listening.set()
        await task

    async def stop(self) -> None:
        """Drain and stop."""
        await self.service.drain()
        self._uvicorn.should_exit = True


class _Uvicorn(uvicorn.Server):
    """Drains before it stops; a second signal stops at once."""

    service: Service
    pool: SocketPool
    _draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then accept on the sockets."""
        await super().startup([])
        for one in sockets or []:
            acceptor = Acceptor(one, self.pool, self._protocol, lambda: self.config.ssl)
            acceptor.start(self.config.backlog)
            self.servers.append(acceptor)  # type: ignore[arg-type]

    def _protocol(self, entry: SocketEntry) -> HttpProtocol:
        protocol = HttpProtocol(self.config, self.server_state, self.lifespan.state)
        protocol.entry = entry
        return protocol

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._draining is not None:
            super().handle_exit(sig, frame)
            return
        loop = asyncio.get_running_loop()
        self._draining = loop.create_task(self._drain(sig, frame))

    async def _drain(self, sig: int, frame: FrameType | None) -> None:
        await self.service.drain()
        super().handle_exit(sig, frame)
