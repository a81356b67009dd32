"""Eleven ways in which a server, a network or a certificate fails for a while.

Each is an object with `begin` and `end`. All but one are real: the resolver of names is replaced in
this process, so that DNS does not fail on the whole machine.
"""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates

from .link import Link
from .work import Work

SLOW_BYTES_PER_S, SLOW_RTT_S = 54_000.0, 0.3
EVERY_S = 1.0


@dataclass
class Bench:
    """A server with TLS behind a link, and what the faults need of it."""

    work: Work
    model: Path
    port: int
    link: Link
    certificates: tuple[Path, Path, Path]
    server: subprocess.Popen[str]

    def start_server(self) -> None:
        """Start the server again, on the same port."""
        self.server = start_server(self.work, self.model, self.port, self.certificates)


def start_server(
    work: Work, model: Path, port: int, certificates: tuple[Path, Path, Path]
) -> subprocess.Popen[str]:
    """`tallylens serve` with TLS, ready."""
    tls = ("--tls-cert", str(certificates[1]), "--tls-key", str(certificates[2]))
    return work.start(model, port, "--lanes", "1", *tls)


class Fault(Protocol):
    """Something that goes wrong, and is right again."""

    def begin(self) -> None:
        """From here on it is wrong."""

    def end(self) -> None:
        """From here on it is right."""


@dataclass
class Stopped:
    """The server ends by a signal, and is started again."""

    bench: Bench
    number: int

    def begin(self) -> None:
        """Send the signal."""
        self.bench.server.send_signal(self.number)

    def end(self) -> None:
        """Start it again."""
        self.bench.server.wait(30)
        self.bench.start_server()


@dataclass
class Paused:
    """The server is stopped (SIGSTOP) and continues."""

    bench: Bench

    def begin(self) -> None:
        """Stop it."""
        self.bench.server.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        """Let it continue."""
        self.bench.server.send_signal(signal.SIGCONT)


@dataclass
class OfLink:
    """The link does something else for a while."""

    begin_: Callable[[], None]
    end_: Callable[[], None]

    def begin(self) -> None:
        """Start with it."""
        self.begin_()

    def end(self) -> None:
        """Stop it."""
        self.end_()


class Repeated:
    """A momentary fault of the link, every second."""

    def __init__(self, once: Callable[[], None]) -> None:
        self._once, self._ended = once, threading.Event()

    def begin(self) -> None:
        """Start to repeat it."""
        threading.Thread(target=self._repeat, daemon=True).start()

    def _repeat(self) -> None:
        while not self._ended.is_set():
            self._once()
            self._ended.wait(EVERY_S)

    def end(self) -> None:
        """Stop repeating it."""
        self._ended.set()


class WrongCertificate:
    """The server's certificate is replaced by one that the client does not trust, and back."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self._bench, self._other = bench, make_dev_certificates(folder / "other")
        self._kept = [path.read_bytes() for path in bench.certificates]

    def begin(self) -> None:
        """Replace it; the server reads it again, and the connection is lost."""
        for path, other in zip(self._bench.certificates[1:], self._other[1:], strict=True):
            shutil.copy(other, path)
        time.sleep(3.0)
        self._bench.link.reset()

    def end(self) -> None:
        """Put the old one back."""
        for path, content in zip(self._bench.certificates[1:], self._kept[1:], strict=True):
            path.write_bytes(content)


class NotFound:
    """In place of the server, something else answers 404, as a proxy without its service does."""

    def __init__(self, bench: Bench) -> None:
        self._link, self._port = bench.link, bench.port
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*bench.certificates[1:])
        self._listening = tls.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        threading.Thread(target=self._answer, daemon=True).start()

    def begin(self) -> None:
        """Lead the link to it."""
        self._link.target = self._listening.getsockname()[1]
        self._link.reset()

    def end(self) -> None:
        """Lead the link to the server again."""
        self._link.target = self._port

    def _answer(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
                with client:
                    client.recv(1 << 14)
                    client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                continue


class NoNames:
    """Names are not resolved in this process, and the connection is lost."""

    def __init__(self, link: Link) -> None:
        self._link, self._original = link, socket.getaddrinfo

    def begin(self) -> None:
        """Every name is unknown."""

        def unknown(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        socket.getaddrinfo = unknown
        self._link.reset()

    def end(self) -> None:
        """Names are known again."""
        socket.getaddrinfo = self._original


def faults(bench: Bench, folder: Path) -> dict[str, Callable[[], Fault]]:
    """How to make each fault, by name."""
    link = bench.link

    def slow() -> None:
        link.rate, link.half_s = SLOW_BYTES_PER_S, SLOW_RTT_S / 2

    def fast() -> None:
        link.rate = link.half_s = 0.0

    return {
        "kill": lambda: Stopped(bench, signal.SIGKILL),
        "SIGTERM": lambda: Stopped(bench, signal.SIGTERM),
        "stall": lambda: OfLink(link.stall, link.resume),
        "half-open": lambda: OfLink(lambda: link.cut(silent=True), link.heal),
        "resets": lambda: Repeated(link.reset),
        "duplicates": lambda: Repeated(link.duplicate_next),
        "SIGSTOP": lambda: Paused(bench),
        "slow link": lambda: OfLink(slow, fast),
        "certificate": lambda: WrongCertificate(bench, folder),
        "404": lambda: NotFound(bench),
        "DNS gone": lambda: NoNames(link),
    }
