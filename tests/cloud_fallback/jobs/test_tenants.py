"""Two accounts on each other's things, by every route of the OpenAPI document."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from tests.support.people import Person, forget_tries, somebody
from tests.support.video_server import TUS, VideoServer

pytestmark = pytest.mark.slow
METHODS = ("get", "post", "put", "patch", "delete", "head")
BODIES: dict[str, Any] = {
    "patch /v1/webhooks/{webhook}": {"disabled": True},
    "post /v1/videos/{video}/jobs": {},
    "post /v1/jobs/{job}/feedback": {"class_name": "car", "number": 1},
}


@dataclass
class Things:
    """The things of one account, and requests with its credentials."""

    ids: dict[str, str]
    session: Person
    key: str

    def request(self, how: str, method: str, path: str, **options: Any) -> httpx.Response:
        headers = options.pop("headers", {})
        if how == "session":
            return self.session.request(method, path, headers=headers, **options)
        given = {"Authorization": f"Bearer {self.key}", **headers}
        return self.session.server.client.request(method, path, headers=given, **options)


def things_of(server: VideoServer) -> Things:
    """A person with one of everything that an identifier in a path can name."""
    person = somebody(server)
    body = {"name": "all", "scopes": ["videos", "account"]}
    key = person.request("POST", "/v1/keys", json=body).json()

    def upload(length: int, content: bytes) -> str:
        headers = {**TUS, "Upload-Length": str(length)}
        location = person.request("POST", "/v1/uploads", headers=headers).headers["location"]
        headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        assert person.request("PATCH", location, headers=headers, content=content).status_code < 300
        return str(location[-26:])

    complete, open_upload = upload(5, b"bytes"), upload(9, b"half")
    webhook = person.request("POST", "/v1/webhooks", json={"url": "https://localhost/"}).json()
    again = person.request("POST", f"/v1/videos/vid_{complete}/jobs", json={"any_class": True})
    assert again.status_code == 202, again.text
    assert person.request("POST", f"/v1/jobs/{again.json()['id']}/cancel").status_code == 202
    log = person.request("GET", f"/v1/webhooks/{webhook['id']}/deliveries").json()["deliveries"]
    ids = {
        "upload": f"upl_{open_upload}",
        "video": f"vid_{complete}",
        "job": f"job_{complete}",
        "key": key["id"],
        "webhook": webhook["id"],
        "delivery": log[0]["id"],
        # Not of an account.
        "form": "json",
        "provider": "stripe",
    }
    return Things(ids, person, key["key"])


@pytest.fixture(scope="module")
def two(idle_server: VideoServer) -> tuple[Things, Things]:
    forget_tries(idle_server.videos)
    return things_of(idle_server), things_of(idle_server)


def routes_with_identifiers(server: VideoServer) -> list[tuple[str, str]]:
    """(method, path) of each route whose path names something of an account."""
    paths = server.client.get("/v1/openapi.json").json()["paths"]
    return [
        (method, path)
        for path, operations in paths.items()
        for method in METHODS
        if method in operations and set(re.findall(r"{(\w+)", path)) - {"provider", "form"}
    ]


def test_each_route_hides_the_things_of_another_account(two: tuple[Things, Things]) -> None:
    first, second = two
    server = first.session.server
    routes = routes_with_identifiers(server)
    assert len(routes) >= 18
    before = {one: export_of(things) for one, things in enumerate(two)}
    for method, path in routes:
        url = path.format(**first.ids)
        headers = {**TUS, "Upload-Offset": "4", "Content-Type": "application/offset+octet-stream"}
        body: dict[str, Any] = {"headers": headers, "content": b"steal"}
        if "/uploads/" not in path:
            body = {"json": BODIES.get(f"{method} {path}", {})} if method != "get" else {}
        for how in ("session", "key"):
            answer = second.request(how, method.upper(), url, **body)
            assert answer.status_code == 404, (method, path, how, answer.text)
    after = {one: export_of(things) for one, things in enumerate(two)}
    assert after == before


def test_nobody_sees_anything_without_credentials(two: tuple[Things, Things]) -> None:
    first, server = two[0], two[0].session.server
    document = server.client.get("/v1/openapi.json").json()["paths"]
    public = {
        "/v1/accounts",
        "/v1/accounts/verify",
        "/v1/sessions",
        "/v1/passwords",
        "/v1/passwords/reset",
        "/v1/plans",
        "/v1/payments/{provider}",
        "/v1/cost",
    }
    server.client.cookies.clear()
    seen = 0
    for path, operations in document.items():
        if not path.startswith("/v1/") or path in public:
            continue
        for method in METHODS:
            if method not in operations:
                continue
            seen += 1
            answer = server.client.request(method, path.format(**first.ids), headers=TUS)
            assert answer.status_code == 401, (method, path, answer.text)
    assert seen >= 30


def test_lists_hold_only_the_own_things(two: tuple[Things, Things]) -> None:
    for mine, other in (two, two[::-1]):
        for how in ("session", "key"):
            for name in ("videos", "jobs", "keys", "webhooks"):
                text = mine.request(how, "GET", f"/v1/{name}").text
                assert mine.ids[name[:-1]] in text
                assert other.ids[name[:-1]] not in text


def test_the_owner_reaches_everything(two: tuple[Things, Things]) -> None:
    first = two[0]
    for name in ("video", "job", "key", "webhook"):
        for how in ("session", "key"):
            path = f"/v1/{name}s/{first.ids[name]}"
            assert first.request(how, "GET", path).status_code == 200


def export_of(things: Things) -> dict[str, Any]:
    """The content of an account's archive, without what reading it changes."""
    answer = things.session.request("GET", "/v1/account/export.zip")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        found: dict[str, Any] = {}
        for name in archive.namelist():
            content = archive.read(name)
            found[name] = json.loads(content) if name.endswith(".json") else content
    for name in ("audit.json", "deliveries.json"):
        del found[name]
    for key in found["api_keys.json"]:
        del key["used"]
    return found


def test_an_archive_holds_all_and_no_secret(two: tuple[Things, Things]) -> None:
    first = two[0]
    found = export_of(first)
    video = first.ids["video"]
    assert found[f"videos/{video}"] == b"bytes"
    assert found["accounts.json"][0]["email"] == first.session.email
    assert [one["id"] for one in found["videos.json"]] == [video]
    assert len(found["jobs.json"]) == 2
    raw = first.session.request("GET", "/v1/account/export.zip").content
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        text = b"".join(archive.read(name) for name in archive.namelist())
        actions = [one["action"] for one in json.loads(archive.read("audit.json"))]
    assert actions[:4] == ["account.created", "account.verified", "session.opened", "key.created"]
    for secret in (first.key, first.session.csrf, "argon2", "whsec_"):
        assert secret.encode() not in text


def test_a_deleted_account_leaves_nothing(idle_server: VideoServer) -> None:
    forget_tries(idle_server.videos)
    things = things_of(idle_server)
    files = [idle_server.videos / "files" / things.ids[one][-26:] for one in ("video", "upload")]
    assert all(file.exists() for file in files)
    answer = things.session.request("DELETE", "/v1/account")
    assert answer.status_code == 204, answer.text
    assert not any(file.exists() for file in files)
    for how in ("session", "key"):
        assert things.request(how, "GET", "/v1/account").status_code == 401
    from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
    from tallylens.cloud_fallback.jobs.tables import metadata

    database = Database(sqlite_url(idle_server.videos / "tallylens.db"))
    left: dict[str, int] = {}
    identifiers = {things.session.email, *(things.ids[one] for one in ("video", "job", "webhook"))}
    for table in metadata.sorted_tables:
        rows = database.run(_all_rows, table)
        found = [row for row in rows if identifiers & {str(value) for value in row}]
        if found and table.name != "audit":
            left[table.name] = len(found)
    database.close()
    assert left == {}


def _all_rows(connection: sa.Connection, table: sa.Table) -> list[sa.Row[Any]]:
    return list(connection.execute(table.select()))
