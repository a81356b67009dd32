"""The service of uploaded videos inside the server's application: its routes, pages and tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ..server.service import Service
from .callers.api_key import account_of_api_key
from .callers.key_cookie import account_of_key_cookie
from .callers.key_file import account_of_key_file
from .callers.session import account_of_session
from .job_metrics import JobMetrics
from .live_first import AnnouncedQueue
from .openapi import describe
from .pages import account, entrance
from .pages import routes as pages
from .pages import webhooks as webhook_pages
from .pages.forms import problem_page
from .problems import PROBLEMS, handle_problems
from .routes import ROUTERS
from .service import Identify, VideoService
from .settings import VideoSettings

IDENTIFIERS: tuple[Identify, ...] = (
    account_of_key_file,
    account_of_api_key,
    account_of_session,
    account_of_key_cookie,
)


class VideoExtension:
    """Adds the service of uploaded videos to a server; see `AppExtension`.

    Args:
        settings: where it keeps database and files.
        model_sha256: digest of the model that counts what is uploaded.

    Attributes:
        service: what its routes share.
    """

    def __init__(self, settings: VideoSettings, model_sha256: str) -> None:
        self.service = VideoService(settings, model_sha256)

    def install(self, app: FastAPI) -> None:
        """Add the routes."""
        app.state.videos = service = self.service
        service.identifiers += IDENTIFIERS
        self._server: Service = app.state.service
        self._server.queue = AnnouncedQueue(self._server.queue, service.settings.open_live_mark())
        registry = self._server.metrics.registry
        self._metrics = JobMetrics(registry, service.database, service.settings.folder)
        handle_problems(app, problem_page)
        describe(app)
        for router in ROUTERS:
            app.include_router(router, responses=PROBLEMS)
        for router in (pages.router, entrance.router, account.router, webhook_pages.router):
            app.include_router(router)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the tasks beside the requests, for the length of the block."""
        service = self.service
        tasks = [
            asyncio.create_task(service.progress.run(self._show_database)),
            asyncio.create_task(service.sweep.run()),
            asyncio.create_task(self._metrics.run()),
            asyncio.create_task(service.webhooks.run()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await service.registration.close()

    def _show_database(self) -> None:
        """Let load balancers know whether there is a database."""
        if self.service.progress.alive:
            self._server.missing.discard("database")
        else:
            self._server.missing.add("database")

    def drain(self) -> None:
        """A shutdown begins: end the streams."""
        self.service.progress.close()

    def close(self) -> None:
        """Close the database."""
        self.service.close()
