"""The application on uvicorn: TLS, limits of the socket, and an orderly shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from ...edge_runtime.errors import UnavailableError, UsageError
from ..wire.constants import MAX_FRAME_BYTES
from ..wire.frames import HEADER_BYTES
from ..wire.url import is_loopback
from .acceptor import Acceptor
from .app import AppExtension, create_app
from .certificates import CertificateFiles
from .http_protocols import HttpProtocol, WebsocketProtocol
from .logs import silence_libraries
from .proxies import TrustedProxies
from .service import Service
from .socket_pool import SocketEntry, SocketLimits, SocketPool
from .warm_up import warm_up

# How long a thread of a detector may keep the interpreter from the sockets; Python's own 5 ms for
# each of several threads would be most of a frame's time.
SWITCH_SECONDS = 0.0005
# A server that receives one ends in order. SIGHUP, of a terminal that closes, is not on Windows.
END_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


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

    def resolved(self) -> Address:
        """The same with files that another process finds, whatever its folder."""
        if self.certificate is None or self.key is None:
            return self
        return replace(self, certificate=self.certificate.absolute(), key=self.key.absolute())


def bind_socket(address: Address, *, share_port: bool = False) -> socket.socket:
    """A socket bound to an address; `share_port` lets other processes of this user bind it too.

    Raises:
        UnavailableError: the port is in use, or the host is not an address of this machine.
    """
    host, port = address.host, address.port
    try:
        family, _, _, _, found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share_port and hasattr(socket, "SO_REUSEPORT"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(found)
    except OSError as error:
        raise UnavailableError(
            f"cannot listen on {host}:{port} ({error.strerror})",
            "Choose another --host or --port",
        ) from error
    return bound


@dataclass
class Server:
    """A service that listens; `port` is the actual one once `bind` was called.

    Args:
        service: what is served.
        address: where, and the files of TLS.
        limits: of the sockets.
        proxies: which may name their clients.
        drain_delay_s: how long new clients are still taken after SIGTERM, while `/readyz`
            answers 503.
        extensions: more of the application.
        own_process: whether this server is all that its process does, for good: see `warm_up`.
    """

    service: Service
    address: Address
    limits: SocketLimits = field(default_factory=SocketLimits)
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    drain_delay_s: float = 0.0
    extensions: Sequence[AppExtension] = ()
    own_process: bool = False
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    def __post_init__(self) -> None:
        self.address.check()
        silence_libraries()
        self._certificates: CertificateFiles | None = None
        if self.address.certificate is not None and self.address.key is not None:
            self._certificates = CertificateFiles(self.address.certificate, self.address.key)
            self._certificates.show_in(self.service.metrics)
            self.service.watchers.append(self._certificates.refresh_or_log)
        self._uvicorn = _Uvicorn(self._config())
        self._uvicorn.drain = self._drain
        self._uvicorn.tls = self._tls
        self._uvicorn.listening = self.listening
        self._uvicorn.own_process = self.own_process
        self.sockets = SocketPool(self.limits, self.service.metrics, self.proxies)
        self._uvicorn.pool = self.sockets

    def _tls(self) -> ssl.SSLContext | None:
        """The TLS settings of the next connection."""
        return None if self._certificates is None else self._certificates.context

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            create_app(self.service, extensions=self.extensions),
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

    def bind(self, *, share_port: bool = False) -> socket.socket:
        """The listening socket; see `bind_socket`."""
        bound = bind_socket(self.address, share_port=share_port)
        self.port = int(bound.getsockname()[1])
        return bound

    async def serve(self, bound: socket.socket | None = None) -> None:
        """Serve until a signal or `stop`."""
        bound = bound or self.bind()
        task = asyncio.create_task(self._uvicorn.serve([bound]))
        # A start that fails ends the waiting too: the task has its error.
        task.add_done_callback(lambda _: self.listening.set())
        await task

    async def stop(self) -> None:
        """Drain and stop."""
        await self._end_clients()
        self._uvicorn.should_exit = True

    async def _drain(self, signal_number: int) -> None:
        # Nobody waits for a load balancer at a terminal.
        if signal_number == signal.SIGTERM:
            await self.service.leave(self.drain_delay_s)
        await self._end_clients()

    async def _end_clients(self) -> None:
        for extension in self.extensions:
            extension.drain()
        await self.service.drain()


class _Uvicorn(uvicorn.Server):
    """Drains before it stops; a second signal stops at once."""

    pool: SocketPool
    drain: Callable[[int], Awaitable[None]]
    tls: Callable[[], ssl.SSLContext | None]
    listening: asyncio.Event
    own_process: bool
    _draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then accept on the sockets."""
        await super().startup([])
        if self.own_process:
            await warm_up(self.config.loaded_app)
        for one in sockets or []:
            acceptor = Acceptor(one, self.pool, self._protocol, self.tls)
            acceptor.start(self.config.backlog)
            self.servers.append(acceptor)  # type: ignore[arg-type]
        self.listening.set()

    def _protocol(self, entry: SocketEntry) -> HttpProtocol:
        protocol = HttpProtocol(self.config, self.server_state, self.lifespan.state)
        protocol.entry = entry
        return protocol

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle the signals of END_SIGNALS; only Ctrl-C is an interruption to whoever called."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [getattr(signal, name) for name in END_SIGNALS if hasattr(signal, name)]
        # An ignored signal (`nohup`) stays ignored.
        heard = [one for one in numbers if signal.getsignal(one) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self.handle_exit) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if signal.SIGINT in self._captured_signals:
            signal.raise_signal(signal.SIGINT)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, stop at the second."""
        if self._draining is not None:
            super().handle_exit(sig, frame)
            return
        loop = asyncio.get_running_loop()
        self._draining = loop.create_task(self._drain(sig, frame))

    async def _drain(self, sig: int, frame: FrameType | None) -> None:
        await self.drain(sig)
        super().handle_exit(sig, frame)
