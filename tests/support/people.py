"""People with accounts on a server of videos, who sign in as a browser does."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx

from tests.support.video_server import BYTES, TUS, VideoServer, wait_until

PASSWORD = "correct horse battery"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Person:
    """Somebody with a session.

    Attributes:
        cookie: of the session.
        csrf: its token.
    """

    server: VideoServer
    email: str
    cookie: str = ""
    csrf: str = ""

    def headers(self) -> dict[str, str]:
        """The headers of a request of a page of the site."""
        return {"Cookie": self.cookie, "X-CSRF-Token": self.csrf, **SAME_SITE}

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """A request of a page of the site."""
        given = {**self.headers(), **(headers or {})}
        return self.server.client.request(method, path, headers=given, **options)


def post(server: VideoServer, path: str, **document: Any) -> httpx.Response:
    """A POST request of somebody unknown."""
    return server.client.post(path, json=document)


def mails(server: VideoServer, email: str) -> list[str]:
    """The texts of the e-mails to an address, the oldest first."""
    found = []
    for path in sorted((server.videos / "mail").glob("*.eml")):
        message = message_from_bytes(path.read_bytes(), policy=default)
        if message["To"] == email:
            found.append(message.get_content())
    return found


def token_of(text: str) -> str:
    """The token of the link in an e-mail."""
    found = re.search(r"token=(\S+)", text)
    assert found is not None, text
    return found[1]


def newest_mail(server: VideoServer, email: str, number: int) -> str:
    """The text of the e-mail with this number, once it is there."""
    wait_until(lambda: len(mails(server, email)) >= number, "no e-mail came")
    return mails(server, email)[number - 1]


def register(server: VideoServer, email: str, password: str = PASSWORD) -> str:
    """Register an address and verify it; returns the token of the link."""
    number = len(mails(server, email)) + 1
    answer = post(server, "/v1/accounts", email=email, password=password)
    assert answer.status_code == 202, answer.text
    token = token_of(newest_mail(server, email, number))
    answer = post(server, "/v1/accounts/verify", token=token)
    assert answer.status_code == 204, answer.text
    return token


def sign_in(server: VideoServer, email: str, password: str = PASSWORD) -> Person:
    """Sign in."""
    answer = post(server, "/v1/sessions", email=email, password=password)
    assert answer.status_code == 201, answer.text
    server.client.cookies.clear()
    cookie = answer.headers["set-cookie"].partition(";")[0]
    return Person(server, email, cookie, answer.json()["csrf"])


def somebody(server: VideoServer, email: str = "") -> Person:
    """A new person who is signed in."""
    address = email or f"person{time.time_ns()}@example.org"
    register(server, address)
    return sign_in(server, address)


def forget_tries(folder: Path) -> None:
    """Let the tests of a server register as many people as they need from one address."""
    from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
    from tallylens.cloud_fallback.jobs.tables import address_requests

    database = Database(sqlite_url(folder / "tallylens.db"))
    database.run(lambda connection: connection.execute(address_requests.delete()) and None)
    database.close()


def upload(person: Person, content: bytes = b"bytes") -> str:
    """Upload a file that is not a video; the id of its job."""
    headers = {**TUS, "Upload-Length": str(len(content))}
    location = person.request("POST", "/v1/uploads", headers=headers).headers["location"]
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": BYTES}
    sent = person.request("PATCH", location, headers=headers, content=content)
    assert sent.status_code == 204, sent.text
    return f"job_{location[-26:]}"
