"""The service of uploaded videos: what all its routes share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from . import schema
from .account_settings import link_secret
from .accounts import Account
from .progress import Progress
from .settings import VideoSettings
from .sign_in.links import Links
from .sign_in.registration import Registration
from .storage import FolderStorage, Storage
from .sweep import Sweep
from .uploads import Uploads
from .webhooks.addresses import AddressRules
from .webhooks.runner import WebhookRunner
from .webhooks.sender import Sender

Identify = Callable[[Request], Awaitable[Account | None]]
"""An identifier: the account of a request, or None to let the next one look."""


class VideoService:
    """Uploads, videos, jobs and accounts of one server process.

    Args:
        settings: where it keeps database and files.
        model_sha256: digest of the model that counts what is uploaded.

    Attributes:
        webhook_rules: the addresses to which webhooks may go.
        registration: accounts by e-mail and password.
        identifiers: find the account of a request, in order; empty until its routes are added.
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
        self.identifiers: list[Identify] = []
        self.known_accounts: set[str] = set()

    @property
    def largest_video(self) -> int:
        """Bytes of the largest file that any plan allows."""
        return self.settings.plans.largest_video

    def close(self) -> None:
        """Close the database."""
        self.database.close()
