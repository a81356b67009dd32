"""The video service inside the server's application: what all its routes share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ..server.service import Service
from . import schema
from .account_settings import link_secret
from .accounts import Identify, account_of_key_file
from .job_metrics import JobMetrics
from .live_first import AnnouncedQueue
from .openapi import describe
from .pages import account, entrance
from .pages import routes as pages
from .pages import webhooks as webhook_pages
from .pages.forms import problem_page
from .pages.key_cookie import account_of_key_cookie
from .problems import PROBLEMS, handle_problems
from .progress import Progress
from .routes import ROUTERS
from .settings import VideoSettings
from .sign_in.api_keys import account_of_api_key
from .sign_in.links import Links
from .sign_in.registration import Registration
from .sign_in.sessions import account_of_session
from .storage import FolderStorage, Storage
from .sweep import Sweep
from .uploads import Uploads
from .webhooks.addresses import AddressRules
from .webhooks.runner import WebhookRunner
from .webhooks.sender import Sender

log = logging.getLogger("tallylens.jobs")


class VideoService:
    """Uploads, videos, jobs and accounts of one server process; see `AppExtension`.

    Args:
        settings: where it keeps database and files.
        model_sha256: digest of the model that counts what is uploaded.

    Attributes:
        webhook_rules: the addresses to which webhooks may go.
        registration: accounts by e-mail and password.
        identifiers: find the account of a request, in order.
        known_accounts: ids whose row exists.
    """

    def __init__(self, settings: VideoSettings, model_sha256: str) -> None:
        self.settings = settings
        self.database = settings.open_database()
        schema.upgrade(self.database)
        self.storage: Storage = settings.open_storage()
        self.folder = settings.open_folder()
        if isinstance(self.storage, FolderStorage):
            self.folder = self.storage
        self.uploads = Uploads(
            self.database, self.folder, self.storage, model_sha256, settings.plans
        )
        self.model_sha256 = model_sha256
        self.registration = Registration(
            self.database,
            settings.accounts.open_mailer(settings.folder),
            Links(link_secret(settings.folder)),
            settings.accounts.public_url,
        )
        self.progress = Progress(self.database)
        accounts = settings.accounts
        self.webhook_rules = AddressRules(accounts.webhook_networks, accounts.any_port)
        self.webhooks = WebhookRunner(self.database, Sender(self.webhook_rules))
        self.sweep = Sweep(self.database, self.folder, self.storage, self.uploads)
        self.identifiers: list[Identify] = [
            account_of_key_file,
            account_of_api_key,
            account_of_session,
            account_of_key_cookie,
        ]
        self.known_accounts: set[str] = set()

    @property
    def largest_video(self) -> int:
        """Bytes of the largest file that any plan allows."""
        return self.settings.plans.largest_video

    def install(self, app: FastAPI) -> None:
        """Add the routes."""
        app.state.videos = self
        self._server: Service = app.state.service
        self._server.queue = AnnouncedQueue(self._server.queue, self.settings.open_live_mark())
        registry = self._server.metrics.registry
        self.metrics = JobMetrics(registry, self.database, self.settings.folder)
        handle_problems(app, problem_page)
        describe(app)
        for router in ROUTERS:
            app.include_router(router, responses=PROBLEMS)
        for router in (pages.router, entrance.router, account.router, webhook_pages.router):
            app.include_router(router)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the tasks beside the requests, for the length of the block."""
        tasks = [
            asyncio.create_task(self.progress.run(self._show_database)),
            asyncio.create_task(self.sweep.run()),
            asyncio.create_task(self.metrics.run()),
            asyncio.create_task(self.webhooks.run()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.registration.close()

    def _show_database(self) -> None:
        """Let load balancers know whether there is a database."""
        if self.progress.alive:
            self._server.missing.discard("database")
        else:
            self._server.missing.add("database")

    def drain(self) -> None:
        """A shutdown begins: end the streams."""
        self.progress.close()

    def close(self) -> None:
        """Close the database."""
        self.database.close()
