"""A service on loopback with a model small enough for tests, and a network that can be broken."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.server.auth import Auth
from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates
from tallylens.cloud_fallback.server.keys import KeyFile, entry, new_key
from tallylens.cloud_fallback.server.models import ModelInstances
from tallylens.cloud_fallback.server.run import Address, Server
from tallylens.cloud_fallback.server.service import Service, Settings
from tallylens.cloud_fallback.wire.frames import PATH, SUBPROTOCOL, decode_server
from tallylens.cloud_fallback.wire.messages import Hello, encode

PATIENCE_S = 30.0


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return make_dev_certificates(tmp_path_factory.mktemp("authority"))


@dataclass
class Running:
    """A service in a thread of its own."""

    service: Service
    server: Server
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
        """Run something in the service's loop."""

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
        return connect(
            f"{self.url}{PATH}",
            ssl=tls,
            additional_headers=headers,
            compression=None,
            proxy=None,
            **options,
        )

    @contextlib.contextmanager
    def session(self, hello: Hello | None = None) -> Iterator[tuple[ClientConnection, Any]]:
        """A websocket that has been welcomed."""
        with self.connect() as websocket:
            websocket.send(encode(hello or Hello()))
            yield websocket, decode_server(str(websocket.recv(timeout=PATIENCE_S)))

    def stop(self) -> None:
        self.call(self.server.stop)
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        self.service.lanes.close()


@pytest.fixture
def serve(
    tiny_model: Path, authority: tuple[Path, Path, Path], tmp_path: Path
) -> Iterator[Callable[..., Running]]:
    """Start services; they end with the test."""
    with contextlib.ExitStack() as stack:

        def start(
            *,
            tls: bool = False,
            port: int = 0,
            plan: str = "",
            scopes: tuple[str, ...] = ("detect", "count", "token", "metrics"),
            origins: tuple[str, ...] = (),
            lanes: ModelInstances | None = None,
            key: str | None = None,
            **settings: Any,
        ) -> Running:
            key = key or new_key()
            keys = tmp_path / f"keys-{key[-6:]}.toml"
            keys.write_text(plan + entry("tester", key, scopes) + ('plan = "p"\n' if plan else ""))
            ca, certificate, secret = authority
            files = (certificate, secret) if tls else (None, None)
            auth = Auth(KeyFile(keys), origins)
            running = _run(
                lambda: Server(
                    Service(lanes or ModelInstances(tiny_model, 1), auth, Settings(**settings)),
                    Address("127.0.0.1", port, *files),
                ),
                key,
                keys,
                ca if tls else None,
            )
            stack.callback(lambda: running.stop() if running.thread.is_alive() else None)
            return running

        yield start


def _run(make: Callable[[], Server], key: str, keys: Path, ca: Path | None) -> Running:
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
    return Running(made[0].service, made[0], key, keys, ca, loop, thread)


@dataclass
class FaultyLink:
    """A TCP proxy between client and service, whose faults are switched on and off.

    `up` is what happens to a chunk from the client on its way to the service.
    """

    target: int
    port: int = 0
    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    fault: str = ""
    connections: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _held: bytes = b""

    def start(self) -> None:
        ready = threading.Event()

        async def main() -> None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
            ready.set()

        self._loop.create_task(main())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        assert ready.wait(PATIENCE_S)

    def cut(self) -> None:
        """Break every connection, and refuse new ones until `heal`."""
        self.fault = "cut"
        self._loop.call_soon_threadsafe(self._break)

    def half_open(self) -> None:
        """Nothing comes through and nobody is told."""
        self.fault = "half-open"

    def heal(self) -> None:
        if self.fault == "half-open":
            self._loop.call_soon_threadsafe(self._break)
        self.fault = ""

    def once(self, fault: str) -> None:
        """`duplicate` or `reorder` the next chunk."""
        self.fault = fault

    def _break(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault == "cut":
            writer.transport.abort()
            return
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._pump(reader, back, True), self._pump(there, writer, False))
        except OSError:
            pass
        finally:
            self._writers -= {writer, back}
            for one in (writer, back):
                one.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool
    ) -> None:
        while chunk := await reader.read(1 << 14):
            if self.fault == "half-open":
                continue
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if self.bytes_per_s:
                await asyncio.sleep(len(chunk) / self.bytes_per_s)
            if up and self.fault in ("duplicate", "reorder"):
                half = len(chunk) // 2
                swapped = chunk[half:] + chunk[:half]
                chunk = chunk * 2 if self.fault == "duplicate" else swapped
                self.fault = ""
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            with contextlib.suppress(OSError):
                writer.close()

    def stop(self) -> None:
        async def end() -> None:
            self._server.close()
            self._break()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


@pytest.fixture
def faulty() -> Iterator[Callable[[int], FaultyLink]]:
    """Make links to a port."""
    made: list[FaultyLink] = []

    def make(target: int) -> FaultyLink:
        link = FaultyLink(target)
        link.start()
        made.append(link)
        return link

    yield make
    for link in made:
        link.stop()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
