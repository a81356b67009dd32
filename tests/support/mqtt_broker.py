"""A small MQTT 3.1.1 broker on loopback: it keeps what is published, and can go away."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ, DISCONNECT = 1, 2, 3, 4, 12, 14


@dataclass
class Broker:
    """Messages as (topic, payload, retained); `password` is what clients must give."""

    password: str | None = None
    messages: list[tuple[str, bytes, bool]] = field(default_factory=list)
    wills: list[tuple[str, bytes]] = field(default_factory=list)
    port: int = 0

    def start(self) -> None:
        broker = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                broker._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._connections: set[socket.socket] = set()
        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Go away: refuse connections and cut those that are open."""
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def topics(self, topic: str) -> list[bytes]:
        return [body for name, body, _ in self.messages if name == topic]

    def _serve(self, connection: socket.socket) -> None:
        self._connections.add(connection)
        stream = connection.makefile("rb")
        try:
            while (head := stream.read(1)) and head[0] >> 4 != DISCONNECT:
                body = stream.read(_length(stream.read))
                if head[0] >> 4 == CONNECT:
                    accepted = self._accepts(body)
                    connection.sendall(bytes((CONNACK << 4, 2, 0, 0 if accepted else 5)))
                    if not accepted:
                        return
                elif head[0] >> 4 == PUBLISH:
                    self._publish(head[0], body, connection)
                elif head[0] >> 4 == PINGREQ:
                    connection.sendall(b"\xd0\0")
        except OSError:
            pass
        finally:
            self._connections.discard(connection)
            stream.close()

    def _accepts(self, body: bytes) -> bool:
        _, rest = _text(body)
        flags, rest = rest[1], rest[4:]
        fields = []
        while rest:
            value, rest = _text(rest)
            fields.append(value)
        if flags & 4:
            self.wills.append((fields[1].decode(), fields[2]))
        return self.password is None or (bool(flags & 64) and fields[-1].decode() == self.password)

    def _publish(self, head: int, body: bytes, connection: socket.socket) -> None:
        topic, rest = _text(body)
        if head >> 1 & 3:
            packet, rest = rest[:2], rest[2:]
        self.messages.append((topic.decode(), rest, bool(head & 1)))
        if head >> 1 & 3:
            connection.sendall(bytes((PUBACK << 4, 2)) + packet)


def _text(body: bytes) -> tuple[bytes, bytes]:
    (length,) = struct.unpack_from(">H", body)
    return body[2 : 2 + length], body[2 + length :]


def _length(read: Callable[[int], bytes]) -> int:
    value = shift = 0
    while True:
        (byte,) = read(1)
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value
