"""A process of a cluster with websockets: the same server as without Ray, and its reports."""

from __future__ import annotations

import asyncio
from typing import Any

from ray import serve

from ..server.auth import Auth
from ..server.keys import KeyFile
from ..server.proxies import TrustedProxies
from ..server.run import Server
from ..server.service import Service
from .cluster_metrics import text_of
from .config import ClusterConfig, RemoteModel
from .local_cluster import keep_to_loopback
from .remote import RemoteBoard, RemoteQueue, RemoteSessionStore, cluster_state
from .replica_board import Report

REPORT_S = 1.0


class Ingress:
    """One replica with the websockets.

    It listens itself, so that limits, TLS, drain and close codes are those of a single process;
    no request goes through Ray's own HTTP proxies.
    """

    async def __init__(self, config: ClusterConfig, model: RemoteModel, handle: Any) -> None:  # type: ignore[misc]
        keep_to_loopback()
        self._config = config
        # A ticket is known only to the replica that issued it, so there are none.
        auth = Auth(KeyFile(config.keys), config.origins, config.token_secret, tickets=False)
        state = cluster_state()
        self._board = RemoteBoard(state)
        self._name = serve.get_replica_context().replica_tag
        self._service = Service(
            model,
            auth,
            queue=lambda metrics: RemoteQueue(handle, metrics),
            store=RemoteSessionStore(state),
        )
        self._service.metrics_of_all = self._metrics_of_all
        self._drained = False
        self._server = Server(
            self._service,
            config.address,
            proxies=TrustedProxies(config.proxies),
            extensions=[make() for make in config.extensions],
        )
        bound = self._server.bind(share_port=True)
        self._serving = asyncio.create_task(self._server.serve(bound))
        await self._server.listening.wait()
        self._reporting = asyncio.create_task(self._report())

    def check_health(self) -> None:
        """Ray starts another replica where this raises."""
        if self._serving.done() and not self._drained:
            raise RuntimeError("the server has ended")

    async def __del__(self) -> None:
        """Ray calls it before it ends the process, and waits."""
        await self._drain()
        self._reporting.cancel()

    async def _drain(self) -> None:
        if not self._drained:
            await self._service.leave(self._config.drain_delay_s)
            await self._server.stop()
            await self._serving
            self._drained = True

    async def _report(self) -> None:
        """Exchange the use of keys with the other processes, every second."""
        draining: asyncio.Task[None] | None = None
        while True:
            news = await self._board.exchange(self._name, self._newest())
            if news is not None:
                self._service.quota.others = news.others
                if news.draining and draining is None:
                    draining = asyncio.create_task(self._drain())
            await asyncio.sleep(REPORT_S)

    def _newest(self) -> Report:
        families = list(self._service.metrics.registry.collect())
        return Report(self._service.quota.take_uses(), families, self._drained)

    async def _metrics_of_all(self) -> bytes:
        """The page of all processes, with the newest numbers of this one."""
        own = list(self._service.metrics.registry.collect())
        return text_of({**await self._board.metrics(), self._name: own})
