"""Transports: what carries the messages of a count to one server or database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Message:
    """An event or a closed period of a count.

    Attributes:
        count: identifies the count; a resumed count keeps it.
        sequence: number of the message within the count, from 0.
        body: the document that `--events` writes for it.
    """

    count: str
    sequence: int
    body: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The same for a message that is sent again, so that receivers can recognize it."""
        return f"{self.count}-{self.sequence}"


class DeliveryError(Exception):
    """Nothing could be delivered for now; the text says why, without secrets.

    Attributes:
        wait_s: the receiver asks to wait for so many seconds.
    """

    def __init__(self, problem: str, wait_s: float = 0.0) -> None:
        super().__init__(problem)
        self.wait_s = wait_s


class RefusedError(Exception):
    """The receiver refuses these messages whenever they are sent; the text says why."""


class Transport(Protocol):
    """Carries messages to one receiver; all methods are called by one thread.

    Attributes:
        name: the receiver in messages to the user, without secrets.
        key: identifies the receiver in saved counts and names of files, without secrets.
        batch: maximum number of messages per call of `send`.
    """

    name: str
    key: str
    batch: int

    def start(self, count: str, sequence: int) -> None:
        """A count starts or resumes: its messages from `sequence` on follow, perhaps again.

        Raises:
            DeliveryError: not now; it is called again.
        """
        ...

    def send(self, messages: Sequence[Message]) -> None:
        """Deliver all messages; after an error they are sent again.

        Raises:
            DeliveryError: not now.
            RefusedError: never.
        """
        ...

    def show(self, totals: Mapping[str, Any]) -> None:
        """Replace the totals that the receiver shows.

        Raises:
            DeliveryError: not now.
        """
        ...

    def close(self) -> None:
        """Release the connection; raises nothing."""
        ...


def key_of(scheme: str, host: str, address: str) -> str:
    """A name for files and saved counts: `address` may hold secrets, only its hash is used."""
    plain = "".join(one if one.isalnum() or one in ".-" else "-" for one in host)[:60]
    return f"{scheme}-{plain}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
