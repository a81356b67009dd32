"""E-mails of the service: what sends them, and a folder as the default."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Mail:
    """One e-mail of plain text."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Sends e-mails; called in a thread."""

    def send(self, mail: Mail) -> None:
        """Send one e-mail; may raise OSError, which is logged."""
        ...


class FolderMailer:
    """Writes each e-mail as an `.eml` file, for development and for a program that sends them.

    Args:
        folder: made if it is missing; only its owner can read the files, which hold links.
        sender: the address that they are from.
    """

    def __init__(self, folder: Path, sender: str = "tallylens@localhost") -> None:
        self._folder, self._sender = folder, sender

    def send(self, mail: Mail) -> None:
        """Write the file, whole or not at all; names sort by time."""
        message = EmailMessage(SMTP)
        message["From"], message["To"] = self._sender, mail.to
        message["Subject"] = mail.subject
        now = datetime.now(UTC)
        message["Date"] = format_datetime(now)
        message.set_content(mail.text)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{now:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}.eml"
        part = path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(message.as_bytes())
        part.replace(path)
