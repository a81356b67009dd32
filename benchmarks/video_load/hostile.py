"""Adversarial uploads of all kinds, sent from one process until it is ended."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import httpx

SLOW, SILENT = 60, 60
BLOCK = bytes(1 << 20)
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


def attack(port: int, key: str, other_key: str) -> None:
    """Send all kinds at once, each from a thread of its own; never returns."""
    kinds: list[Callable[[Attacker], None]] = [
        Attacker.unknown,
        Attacker.foreign,
        Attacker.too_large,
        Attacker.twice,
        Attacker.empty,
        Attacker.damaged_form,
        Attacker.forwarded,
        Attacker.slow,
        Attacker.silent,
    ]
    for kind in kinds:
        attacker = Attacker(port, key, other_key)
        threading.Thread(target=attacker.repeat, args=(kind,), daemon=True).start()
    threading.Event().wait()


class Attacker:
    """One client and what it does again and again."""

    def __init__(self, port: int, key: str, other_key: str) -> None:
        self._port, self._other = port, {"Authorization": f"Bearer {other_key}"}
        self._own = {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False
        )

    def repeat(self, kind: Callable[[Attacker], None]) -> None:
        """Do one kind until the process ends, whatever the server answers."""
        while True:
            with suppress(httpx.HTTPError, OSError):
                kind(self)

    def _create(self, length: int, **headers: str) -> str:
        given = {**TUS, **self._own, "Upload-Length": str(length), **headers}
        answer = self._client.post("/v1/uploads", headers=given)
        return str(answer.headers.get("location", "/v1/uploads/upl_0"))

    def _patch(self, location: str, body: bytes, **headers: str) -> httpx.Response:
        given = {**TUS, "Upload-Offset": "0", "Content-Type": BYTES, **headers}
        return self._client.patch(location, headers=given, content=body)

    def _end(self, location: str) -> None:
        self._client.delete(location, headers={**TUS, **self._own})

    def unknown(self) -> None:
        """A body without a key."""
        self._patch("/v1/uploads/upl_0", BLOCK)

    def foreign(self) -> None:
        """A body for the upload of another account."""
        location = self._create(len(BLOCK))
        self._patch(location, BLOCK, **self._other)
        self._end(location)

    def too_large(self) -> None:
        """A length beyond all plans, and a body beyond its length."""
        self._create(1 << 60)
        location = self._create(10)
        self._patch(location, BLOCK, **self._own)
        self._end(location)

    def twice(self) -> None:
        """Two requests that send one upload."""
        location = self._create(2 * len(BLOCK))
        both = [
            threading.Thread(target=self._patch, args=(location, BLOCK), kwargs=self._own)
            for _ in range(2)
        ]
        for one in both:
            one.start()
        for one in both:
            one.join()
        self._end(location)

    def empty(self) -> None:
        """No bytes, of an upload and of a form."""
        location = self._create(10)
        self._patch(location, b"", **self._own)
        self._end(location)
        self._client.post("/videos", headers=self._own)

    def damaged_form(self) -> None:
        """A form whose parts never end."""
        head = b'--x\r\nContent-Disposition: form-data; name="' + BLOCK
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        self._client.post("/videos", headers={**self._own, **kind}, content=head)

    def forwarded(self) -> None:
        """Headers of a proxy that is not one."""
        self._end(self._create(10, **{"X-Forwarded-Host": "elsewhere.example"}))

    def slow(self) -> None:
        """Bodies that come byte by byte."""
        opened = [self._open() for _ in range(SLOW)]
        for _ in range(20):
            time.sleep(0.2)
            for one in opened:
                with suppress(OSError):
                    one.sendall(b"x")
        for one in opened:
            one.close()

    def silent(self) -> None:
        """Bodies that never come."""
        opened = [self._open() for _ in range(SILENT)]
        time.sleep(4)
        for one in opened:
            one.close()

    def _open(self) -> socket.socket:
        location = self._create(1000)
        connection = socket.create_connection(("127.0.0.1", self._port), 30)
        headers = {**TUS, **self._own, "Upload-Offset": "0", "Content-Type": BYTES}
        lines = [f"PATCH {location} HTTP/1.1", "Host: x", "Content-Length: 1000"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + b"x")
        return connection
