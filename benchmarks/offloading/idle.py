"""Many sessions over TLS, and many connections that say nothing."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates
from tallylens.cloud_fallback.server.keys import entry, new_key
from tallylens.cloud_fallback.server.run import run_loop

from .cpu import SIDES, Client, child, handshake, same
from .work import PLAN, Row, Work

IDLE, WORKING, SILENT = 2000, 1010, 300
# How many connect at once.
TOGETHER = 50


def _memory_kib(pid: int | None) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def _connect(port: int, clients: Sequence[Client]) -> None:
    """Open the sessions of clients, and wait until they are welcomed."""
    loop, context = asyncio.get_running_loop(), ssl._create_unverified_context()
    for at in range(0, len(clients), TOGETHER):
        some = clients[at : at + TOGETHER]
        await asyncio.gather(
            *(
                loop.create_connection(partial(same, one), "127.0.0.1", port, ssl=context)
                for one in some
            )
        )
        while not all(one.welcomed for one in some):
            await asyncio.sleep(0.01)


def idle(_work: Work) -> Iterator[Row]:
    """Memory of 2,000 idle sessions over TLS; then 1,010 that send, and what is lost of it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (16_384, 16_384))
    key, content = new_key(), os.urandom(SIDES[0] * SIDES[1] * 3)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        keys = folder / "keys.toml"
        keys.write_text(PLAN + entry("benchmark", key, plan="p"))
        _, *files = make_dev_certificates(folder)
        with child("service", tuple(files), keys, 8) as (process, port):
            rows: list[Row] = []

            async def measure() -> None:
                make = [Client(handshake(key), content, True, running=False) for _ in range(IDLE)]
                await _connect(port, make[:TOGETHER])
                before = _memory_kib(process.pid)
                await _connect(port, make[TOGETHER:])
                await asyncio.sleep(2.0)
                each = (_memory_kib(process.pid) - before) / (IDLE - TOGETHER)
                rows.append(
                    {"sessions": IDLE, "KiB each": each, "sent": 0, "answered": 0, "rejected": 0}
                )
                working = [Client(handshake(key), content, True) for _ in range(WORKING)]
                await _connect(port, working)
                await asyncio.sleep(10.0)
                for one in working:
                    one.running = False
                ends = time.monotonic() + 30.0
                while any(one.sent > one.answers + one.rejected for one in working):
                    if time.monotonic() > ends:
                        break
                    await asyncio.sleep(0.1)
                sent, answered = (
                    sum(one.sent for one in working),
                    sum(one.answers for one in working),
                )
                each = (_memory_kib(process.pid) - before) / (IDLE + WORKING - TOGETHER)
                rows.append(
                    {
                        "sessions": WORKING,
                        "KiB each": each,
                        "sent": sent,
                        "answered": answered,
                        "rejected": sum(one.rejected for one in working),
                    }
                )

            run_loop(measure())
            yield from rows


def silent(_work: Work) -> Iterator[Row]:
    """`/healthz` of a process with 256 descriptors beside 300 connections that say nothing."""
    with tempfile.TemporaryDirectory() as temporary:
        keys = Path(temporary) / "keys.toml"
        keys.write_text(entry("benchmark", new_key()))
        # Inherited by the server.
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        with child("service", None, keys, 8) as (_, port):
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            opened = [socket.create_connection(("127.0.0.1", port)) for _ in range(SILENT)]
            begun, took = time.monotonic(), []
            while time.monotonic() - begun < 12.0:
                asked = time.monotonic()
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                    took.append(time.monotonic() - asked)
                time.sleep(0.05)
            closed = 0
            for one in opened:
                one.setblocking(False)
                try:
                    closed += one.recv(1 << 16, socket.MSG_PEEK) is not None
                except BlockingIOError:
                    pass
                except OSError:
                    closed += 1
                one.close()
            yield {
                "silent": SILENT,
                "closed after 12 s": closed,
                "probes": len(took),
                "slowest ms": max(took) * 1000,
            }
