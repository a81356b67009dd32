"""Notices a connection that has died without an error: pings, and patience for our own bytes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

log = logging.getLogger("tallylens.cloud")
INTERVAL_S = 5.0
TIMEOUT_S = 5.0
_CHECKS = 20


async def keep_alive(
    socket: Any, heard_at: Callable[[], float], on_the_way_s: Callable[[], float]
) -> None:
    """Ping every INTERVAL_S; abort the connection after TIMEOUT_S without any sign of life.

    On a slow link a ping waits behind the images before it, so that the time for which those may
    still be on their way does not count.

    Args:
        socket: a websocket of `websockets.asyncio`.
        heard_at: when the last message came, monotonic seconds.
        on_the_way_s: for how long bytes that were sent may still be on their way.
    """
    while True:
        await asyncio.sleep(INTERVAL_S)
        pong = asyncio.create_task(_pong(socket))
        try:
            alive_at = time.monotonic()
            while not pong.done():
                await asyncio.wait({pong}, timeout=TIMEOUT_S / _CHECKS)
                now = time.monotonic()
                alive_at = max(alive_at, heard_at(), now if on_the_way_s() > 0 else 0.0)
                if not pong.done() and now - alive_at > TIMEOUT_S:
                    log.info("connection silent")
                    socket.transport.abort()
                    return
        finally:
            pong.cancel()


async def _pong(socket: Any) -> None:
    """Send a ping, which waits until the link takes it, and wait for its answer."""
    await (await socket.ping())
