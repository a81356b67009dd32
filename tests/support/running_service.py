"""A service in a thread of its own, for clients that keep to the protocol and others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.server.auth import Auth
from tallylens.cloud_fallback.server.keys import KeyFile, entry, new_key
from tallylens.cloud_fallback.server.models import ModelInstances
from tallylens.cloud_fallback.server.proxies import TrustedProxies
from tallylens.cloud_fallback.server.run import Address, Server
from tallylens.cloud_fallback.server.service import Service, Settings
from tallylens.cloud_fallback.server.socket_pool import SocketLimits
from tallylens.cloud_fallback.wire.constants import PATH, SUBPROTOCOL
from tallylens.cloud_fallback.wire.messages import (
    Hello,
    ServerMessage,
    Welcome,
    decode_server,
    encode,
)

PATIENCE_S = 30.0
SCOPES = ("detect", "count", "token", "metrics")
TOKEN_SECRET = bytes(range(32))
T = TypeVar("T")


@dataclass
class RunningService:
    """A service that listens on loopback; `key` is one of its keys, `keys` the file of them."""

    service: Service
    server: Server
    model: ModelInstances
    key: str
    keys: Path
    ca: Path | None
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def url(self) -> str:
        return f"{'wss' if self.ca else 'ws'}://localhost:{self.port}"

    @property
    def secret(self) -> Secret:
        return Secret(self.key)

    def call(self, make: Callable[[], Any]) -> Any:
        """Run something in the service's loop; a coroutine is awaited."""

        async def inside() -> Any:
            made = make()
            return await made if asyncio.iscoroutine(made) else made

        return asyncio.run_coroutine_threadsafe(inside(), self.loop).result(PATIENCE_S)

    def connect(self, *, key: str | None = "", **options: Any) -> ClientConnection:
        """A bare websocket, for clients that do not keep to the rules."""
        shown = self.key if key == "" else key
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        tls = ssl.create_default_context(cafile=self.ca) if self.ca else None
        options.setdefault("subprotocols", [SUBPROTOCOL])
        options.setdefault("max_size", None)
        opened: ClientConnection = connect(
            f"{self.url}{PATH}",
            ssl=tls,
            additional_headers=headers,
            compression=None,
            proxy=None,
            **options,
        )
        return opened

    @contextlib.contextmanager
    def session(self, hello: Hello | None = None) -> Iterator[tuple[ClientConnection, Welcome]]:
        """A websocket that has been welcomed."""
        with self.connect() as websocket:
            websocket.send(encode(hello or Hello()))
            welcome = receive(websocket)
            assert isinstance(welcome, Welcome)
            yield websocket, welcome

    def socket(self) -> socket.socket:
        """A bare TCP connection."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)

    def get(self, path: str, key: str = "") -> tuple[int, str]:
        """Status and body of a page, asked for with a key if any."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        request = urllib.request.Request(f"{self._http}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return response.status, response.read().decode()

    def post(self, path: str, key: str) -> dict[str, Any]:
        """The JSON answer to an empty request with a key."""
        headers = {"Authorization": f"Bearer {key}"}
        request = urllib.request.Request(f"{self._http}{path}", b"", headers, method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            document: dict[str, Any] = json.load(response)
            return document

    @property
    def _http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait for something that happens in the service's loop in its own time."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.call(holds):
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def sweep(self) -> None:
        """Look at keys and sessions now, as the service does every two seconds."""

        def sweep() -> None:
            self.service.refresh_keys()
            for look in self.service.watchers:
                look()
            self.service.sweep()

        self.call(sweep)

    def wait_until_left(self) -> None:
        """Wait until the service has noticed that no client is connected."""
        self.wait_until(lambda: not self.service.connections)

    def break_connections(self) -> None:
        """Abort every socket at once, as kill -9 leaves them, and take no new ones."""

        def abort() -> None:
            # uvicorn has no other way to its transports.
            for connection in list(self.server._uvicorn.server_state.connections):
                connection.transport.abort()
            self.service.ready = False

        self.call(abort)

    def stop(self) -> None:
        """Drain and end."""
        self.call(self.server.stop)
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        self.model.close()


class ServiceFactory:
    """Starts services for one test; `close` ends those that still run.

    Args:
        model: what they serve by default.
        certificates: CA, certificate and key of localhost.
        folder: for the files of keys.
    """

    def __init__(self, model: Path, certificates: tuple[Path, Path, Path], folder: Path) -> None:
        self._model, self._certificates, self._folder = model, certificates, folder
        self._started: list[RunningService] = []

    def __call__(
        self,
        *,
        tls: bool = False,
        port: int = 0,
        plan: str = "",
        scopes: tuple[str, ...] = SCOPES,
        origins: tuple[str, ...] = (),
        key: str | None = None,
        limits: SocketLimits | None = None,
        proxies: tuple[str, ...] = (),
        **settings: Any,
    ) -> RunningService:
        """A service that listens, with one key; `plan` is TOML that defines plan `p`."""
        key = key or new_key()
        keys = self._folder / f"keys-{key[-6:]}.toml"
        keys.write_text(plan + entry("tester", key, scopes) + ('plan = "p"\n' if plan else ""))
        ca, certificate, secret = self._certificates
        files = (certificate, secret) if tls else (None, None)
        model = ModelInstances(self._model, 1)

        def make() -> Server:
            auth = Auth(KeyFile(keys), origins, TOKEN_SECRET)
            service = Service(model, auth, Settings(**settings))
            return Server(
                service,
                Address("127.0.0.1", port, *files),
                limits or SocketLimits(),
                TrustedProxies(proxies),
            )

        server, loop, thread = _run(make)
        running = RunningService(
            server.service, server, model, key, keys, ca if tls else None, loop, thread
        )
        self._started.append(running)
        return running

    def close(self) -> None:
        """Stop the services that still run."""
        for running in self._started:
            if running.thread.is_alive():
                running.stop()


def _run(make: Callable[[], Server]) -> tuple[Server, asyncio.AbstractEventLoop, threading.Thread]:
    loop = asyncio.new_event_loop()
    made: list[Server] = []
    started = threading.Event()

    async def main() -> None:
        server = make()
        bound = server.bind()
        made.append(server)
        task = asyncio.create_task(server.serve(bound))
        await server.listening.wait()
        started.set()
        await task
        bound.close()

    def work() -> None:
        loop.run_until_complete(main())
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert started.wait(PATIENCE_S)
    return made[0], loop, thread


def refused(running: RunningService, status: int, **options: Any) -> None:
    """A connection with these options is refused with this HTTP status."""
    with pytest.raises(InvalidStatus) as refusal, running.connect(**options):
        pass
    assert refusal.value.response.status_code == status


def receive(websocket: ClientConnection) -> ServerMessage:
    """The next message of the service."""
    return decode_server(str(websocket.recv(timeout=PATIENCE_S)))


def receive_as(websocket: ClientConnection, expected: type[T]) -> T:
    """The next message of the service, which must be of this type."""
    message = receive(websocket)
    assert isinstance(message, expected), message
    return message


def close_code(websocket: ClientConnection) -> int:
    """The code with which the service closes the connection; messages before it are ignored."""
    try:
        while True:
            websocket.recv(timeout=PATIENCE_S)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006
