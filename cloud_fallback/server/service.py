"""What all connections share, and the work behind them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ...edge_runtime.errors import InputError
from ..wire.frames import CloseCode
from ..wire.messages import Drain, Limits
from .auth import Auth
from .batcher import Batcher, Queue
from .connection import Connection
from .keys import Plan
from .metrics import Metrics
from .models import Served
from .quota import Quota
from .sessions import Sessions, SessionStore

log = logging.getLogger("tallylens.server")
WATCH_SECONDS = 2.0


@dataclass(frozen=True)
class Settings:
    """Limits of one frame and of one client; `drain_s` is the patience of a shutdown."""

    credits: int = 8
    frame_bytes: int = 1 << 20
    pixels: int = 1 << 23
    drain_s: float = 10.0


class Service:
    """One model behind many sockets.

    Args:
        lanes: the model.
        auth: who may.
        settings: limits.
        queue: what takes frames to detectors elsewhere; by default those of `lanes` run here.
        vault: where other processes find the sessions of this one.
    """

    def __init__(
        self,
        lanes: Served,
        auth: Auth,
        settings: Settings | None = None,
        *,
        queue: Callable[[Metrics], Queue] | None = None,
        vault: SessionStore | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.vault = vault
        self.lanes = lanes
        self.auth = auth
        self.quota = Quota()
        self.metrics = Metrics()
        self.sessions = Sessions(self.settings.credits, lanes.metadata.class_names)
        self.batcher = (
            Batcher(lanes.detectors, self.metrics) if queue is None else queue(self.metrics)
        )
        self.connections: set[Connection] = set()
        self.ready = False
        self.metrics.watch_queue(lambda: self.batcher.queued)

    def limits(self, plan: Plan) -> Limits:
        """What a client is told."""
        return Limits(
            self.settings.frame_bytes,
            self.settings.pixels,
            plan.frames_per_second,
            plan.frames_per_day,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work from here to the end of the block."""
        self.batcher.start()
        watch = asyncio.create_task(self._watch())
        self.ready = True
        log.info("ready", extra={"model": self.lanes.name, "engine": self.lanes.engine})
        try:
            yield
        finally:
            self.ready = False
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await self.batcher.stop()

    async def drain(self) -> None:
        """Before a planned end: tell the clients, finish what they sent, close with 1012."""
        self.ready = False
        for connection in list(self.connections):
            connection.announce(Drain(self.settings.drain_s))
        deadline = asyncio.get_running_loop().time() + self.settings.drain_s
        while any(one.stream.pending for one in self.sessions):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.close(CloseCode.RESTART, "restarting")

    async def _watch(self) -> None:
        """Revoked keys, expired callers, and sessions that nobody came back to."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                with contextlib.suppress(InputError):
                    self.auth.keys.refresh()
                self.sweep()
            except Exception:
                self.metrics.fault("sweeping")

    def sweep(self) -> None:
        """Close what may no longer be, and forget what is over."""
        for connection in list(self.connections):
            if not self.auth.still_valid(connection.caller):
                self.metrics.refused("revoked")
                connection.close(CloseCode.UNAUTHORISED, "the key is no longer valid")
        for session in self.sessions.over():
            self.batcher.cancel(session.id)
            self.sessions.end(session)
        self.metrics.sessions.set(len(self.sessions))
