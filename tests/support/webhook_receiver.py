"""A receiver of webhooks over TLS on loopback, and a listener that only counts connections."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates


@dataclass
class Receiver:
    """Messages that came, and their answers.

    Attributes:
        answer: status, headers and body of the next answers.
        messages: headers and body of each message.
    """

    port: int = 0
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    answer: Callable[[], tuple[int, Mapping[str, str], bytes]] = lambda: (200, {}, b"ok")
    messages: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are part of the tests."""


@contextmanager
def receiver(folder: Path, address: str = "127.0.0.1") -> Iterator[Receiver]:
    """A receiver for the length of the block; its certificate is that of localhost."""
    ca, certificate, key = make_dev_certificates(folder)
    found = Receiver(tls=ssl.create_default_context(cafile=str(ca)))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.messages.append(({k.lower(): v for k, v in self.headers.items()}, body))
            status, headers, content = found.answer()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = _Server((address, 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@dataclass
class Bait:
    """A listener on loopback that nobody should reach."""

    port: int
    connections: int = 0


@contextmanager
def bait() -> Iterator[Bait]:
    """Counts the connections to a port for the length of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Bait(listener.getsockname()[1])
    listener.settimeout(0.02)
    ended = threading.Event()

    def count() -> None:
        while not ended.is_set():
            try:
                taken, _ = listener.accept()
            except TimeoutError:
                continue
            found.connections += 1
            taken.close()

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    try:
        yield found
        # Connections that were made are counted before the block ends.
        time.sleep(0.05)
    finally:
        ended.set()
        thread.join(10)
        listener.close()
