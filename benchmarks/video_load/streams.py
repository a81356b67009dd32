"""Progress streams of many accounts at one server process, and its pages meanwhile."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from statistics import quantiles

from tests.support.video_server import VideoServer
from video_load.clips import Row


async def open_streams(server: VideoServer, number: int, seconds: float) -> Row:
    """Open progress streams of as many accounts, and ask for pages and lists meanwhile."""
    lost, events = 0, 0
    times: dict[str, list[float]] = {path: [] for path in ("/", "/videos", "/v1/jobs")}

    async def stream(key: str) -> None:
        nonlocal lost, events
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        request = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"
        writer.write(request.encode())
        try:
            while line := await reader.readline():
                events += line.startswith(b"event:")
            lost += 1
        except OSError:
            lost += 1
        finally:
            writer.close()

    async def ask(path: str, key: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        began = time.monotonic()
        head = "Connection: close\r\nHost: x"
        request = f"GET {path} HTTP/1.1\r\n{head}\r\nAuthorization: Bearer {key}\r\n\r\n"
        writer.write(request.encode())
        answer = await reader.read()
        times[path].append(time.monotonic() - began)
        assert b" 200 " in answer[:20], answer[:200]
        writer.close()

    tasks = [asyncio.create_task(stream(key)) for key in server.more_keys[:number]]
    await asyncio.sleep(min(10.0, number / 100))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for path in times:
            await ask(path, server.key)
            await asyncio.sleep(0.05)
    lost_before_the_end = lost
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "what": f"{number} streams",
        "pages": len(times["/"]),
        "page_p95_ms": p95_ms(times["/"]),
        "videos_page_p95_ms": p95_ms(times["/videos"]),
        "jobs_p95_ms": p95_ms(times["/v1/jobs"]),
        "lost": lost_before_the_end,
        "events": events,
        "rss_mib": resident_mib(server),
    }


def p95_ms(seconds: list[float]) -> float:
    """The 95th percentile in milliseconds."""
    return 1000 * quantiles(seconds, n=20)[18]


def resident_mib(server: VideoServer) -> float:
    """Resident memory of the server process, without its workers."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
