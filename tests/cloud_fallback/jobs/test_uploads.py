"""Tests of uploads over HTTP: tus 1.0, followed word by word, and clients that do not follow it."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.video_server import BYTES, TUS, VideoServer, encoded, job_of, wait_until

pytestmark = pytest.mark.slow
CONTENT = bytes(range(256)) * 12


def files(server: VideoServer) -> set[str]:
    return {path.name for path in (server.videos / "files").iterdir()}


def size(server: VideoServer, location: str) -> int:
    return (server.videos / "files" / location[-26:]).stat().st_size


def offset(server: VideoServer, location: str) -> int:
    answer = server.client.head(location, headers={**server.headers(), **TUS})
    assert answer.status_code == 200
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


def test_the_protocol_step_by_step(idle_server: VideoServer) -> None:
    server = idle_server
    known = server.client.options("/v1/uploads")
    assert known.status_code == 204
    assert known.headers["tus-version"] == "1.0.0"
    assert known.headers["tus-extension"] == "creation,termination,expiration"
    assert known.headers["tus-max-size"] == str(2048 << 20)
    created = server.create(len(CONTENT))
    assert created.status_code == 201
    location = created.headers["location"]
    assert re.fullmatch(r"/v1/uploads/upl_[0-9A-Z]{26}", location)
    assert created.headers["upload-expires"].endswith("GMT")
    assert offset(server, location) == 0
    first = server.patch(location, 0, CONTENT[:1000])
    assert (first.status_code, first.headers["upload-offset"]) == (204, "1000")
    wrong = server.patch(location, 999, CONTENT[999:])
    assert (wrong.status_code, wrong.headers["upload-offset"]) == (409, "1000")
    assert offset(server, location) == size(server, location) == 1000
    last = server.patch(location, 1000, CONTENT[1000:])
    assert (last.status_code, last.headers["upload-offset"]) == (204, str(len(CONTENT)))
    assert offset(server, location) == len(CONTENT)
    assert server.job(job_of(location))["state"] == "queued"
    assert server.patch(location, len(CONTENT), b"").status_code == 409
    assert (server.videos / "files" / location[-26:]).read_bytes() == CONTENT


def test_an_upload_that_is_ended(idle_server: VideoServer) -> None:
    server = idle_server
    location = server.create(len(CONTENT)).headers["location"]
    server.patch(location, 0, CONTENT[:10])
    headers = {**server.headers(), **TUS}
    assert server.client.delete(location, headers=headers).status_code == 204
    assert server.client.head(location, headers=headers).status_code == 404
    assert server.patch(location, 10, CONTENT[10:]).status_code == 404
    assert location[-26:] not in files(server)


@pytest.mark.parametrize(
    ("length", "status"),
    [("", 400), ("-1", 400), ("1e3", 400), ("٣", 400), ("0", 400), (str((2048 << 20) + 1), 413)],
)
def test_lengths_that_are_refused(idle_server: VideoServer, length: str, status: int) -> None:
    before = files(idle_server)
    headers: dict[str, str] = {**idle_server.headers(), **TUS}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    if length:
        raw.append((b"upload-length", length.encode()))
    answer = idle_server.client.post("/v1/uploads", headers=raw)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert files(idle_server) == before


@pytest.mark.parametrize("metadata", ["filename ***", "filename YQ==,filename YQ=="])
def test_metadata_that_is_refused(idle_server: VideoServer, metadata: str) -> None:
    headers = {**idle_server.headers(), **TUS, "Upload-Length": "9", "Upload-Metadata": metadata}
    answer = idle_server.client.post("/v1/uploads", headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["remedy"]


@pytest.mark.parametrize(
    "options",
    [
        "[]",
        "{",
        "{" * 40000,
        '{"lines": ["0,0,0,0"]}',
        '{"lines": "0,0,1,1"}',
        '{"deadline_s": -1}',
        '{"deadline_s": NaN}',
        '{"speed": 9}',
        '{"any_class": true, "classes": ["car"]}',
    ],
)
def test_options_that_are_refused(idle_server: VideoServer, options: str) -> None:
    headers = {**idle_server.headers(), **TUS, "Upload-Length": "9"}
    headers["Upload-Metadata"] = f"options {encoded(options)}"
    answer = idle_server.client.post("/v1/uploads", headers=headers)
    assert answer.status_code in (422, 431), answer.text
    if answer.status_code == 422:
        assert answer.json()["type"] == "/problems/options"


def test_nothing_is_written_for_who_may_not(idle_server: VideoServer) -> None:
    server = idle_server
    before = files(server)
    for key, status in (("", 401), ("tlk_wrong", 401), (server.weak_key, 403)):
        headers = {**TUS, "Upload-Length": "9"}
        if key:
            headers |= server.headers(key)
        answer = server.client.post("/v1/uploads", headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert files(server) == before
    location = server.create(len(CONTENT)).headers["location"]
    for key, status in (("", 401), (server.weak_key, 403), (server.other_key, 404)):
        headers = {**TUS, "Upload-Offset": "0", "Content-Type": BYTES}
        if key:
            headers |= server.headers(key)
        answer = server.client.patch(location, headers=headers, content=CONTENT)
        assert answer.status_code == status
        assert size(server, location) == 0
        foreign = {**TUS, **(server.headers(key) if key else {})}
        assert server.client.head(location, headers=foreign).status_code == status
        assert server.client.delete(location, headers=foreign).status_code == status


def test_a_body_that_is_longer_than_announced(idle_server: VideoServer) -> None:
    location = idle_server.create(10).headers["location"]
    assert idle_server.patch(location, 0, b"x" * 11).status_code == 413
    assert size(idle_server, location) == 0


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Content-Type": "video/mp4"}, 415),
        ({"Upload-Offset": "-1"}, 400),
        ({"Upload-Offset": ""}, 400),
    ],
)
def test_patches_that_are_refused(
    idle_server: VideoServer, changed: dict[str, str], status: int
) -> None:
    location = idle_server.create(10).headers["location"]
    headers = {**idle_server.headers(), **TUS, "Upload-Offset": "0", "Content-Type": BYTES}
    answer = idle_server.client.patch(location, headers={**headers, **changed}, content=b"x")
    assert answer.status_code == status
    assert size(idle_server, location) == 0


def test_the_location_follows_no_header(idle_server: VideoServer) -> None:
    headers = {**idle_server.headers(), **TUS, "Upload-Length": "9"}
    headers |= {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    headers |= {"X-Forwarded-Proto": "http", "Forwarded": "host=evil.example"}
    answer = idle_server.client.post("/v1/uploads", headers=headers)
    assert answer.headers["location"].startswith("/v1/uploads/upl_")


def half_open(server: VideoServer, location: str, sent: bytes) -> socket.socket:
    """A PATCH that has sent a part of its body, and is silent then."""
    connection = socket.create_connection(("127.0.0.1", server.port), 30)
    lines = [
        f"PATCH {location} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {server.key}",
        "Tus-Resumable: 1.0.0",
        "Upload-Offset: 0",
        f"Content-Type: {BYTES}",
        f"Content-Length: {len(CONTENT)}",
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + sent)
    return connection


def test_a_second_request_ends_the_first(idle_server: VideoServer) -> None:
    server = idle_server
    location = server.create(len(CONTENT)).headers["location"]
    with half_open(server, location, CONTENT[:100]) as first:
        wait_until(lambda: offset(server, location) >= 0, "no answer")
        time.sleep(0.3)
        # Bytes of the first are kept, so that the second may have to ask for the offset.
        second = server.patch(location, 0, CONTENT)
        if second.status_code == 409:
            start = int(second.headers["upload-offset"])
            assert start == 100
            second = server.patch(location, start, CONTENT[start:])
        assert second.status_code == 204
        assert first.recv(100).startswith(b"HTTP/1.1 409 ")
    assert "Traceback" not in server.log()
    assert offset(server, location) == len(CONTENT)
    assert (server.videos / "files" / location[-26:]).read_bytes() == CONTENT


def test_what_arrived_before_a_connection_broke_is_kept(idle_server: VideoServer) -> None:
    server = idle_server
    location = server.create(len(CONTENT)).headers["location"]
    with half_open(server, location, CONTENT[:700]) as connection:
        time.sleep(0.3)
        connection.close()
    wait_until(lambda: offset(server, location) == 700, "the bytes are lost")
    assert server.patch(location, 700, CONTENT[700:]).status_code == 204


def test_the_server_answers_while_uploads_are_slow(idle_server: VideoServer) -> None:
    server, answers = idle_server, 0
    big = 8 << 20
    location = server.create(big).headers["location"]

    def body() -> Iterator[bytes]:
        for _ in range(16):
            time.sleep(0.05)
            yield bytes(big // 16)

    sending = threading.Thread(target=lambda: server.patch(location, 0, body()))
    others = [half_open(server, server.create(99).headers["location"], b"x") for _ in range(20)]
    sending.start()
    with httpx.Client(base_url=server.client.base_url, trust_env=False) as client:
        while sending.is_alive():
            assert client.get("/healthz").text == "ok"
            answers += 1
            time.sleep(0.02)
    for one in others:
        one.close()
    assert offset(server, location) == big
    # A server that waited for the upload would have answered once.
    assert answers > 4


def test_an_upload_may_take_longer_than_other_requests(
    tmp_path: Path, idle_server: VideoServer
) -> None:
    """A request must be complete in 10 s; a body may continue as long as bytes come."""
    server = idle_server
    location = server.create(len(CONTENT)).headers["location"]

    def body() -> Iterator[bytes]:
        for index in range(12):
            time.sleep(1.0)
            yield CONTENT[index * 256 : index * 256 + 256]

    headers = {"Content-Length": str(len(CONTENT))}
    sent = server.client.patch(
        location,
        headers={
            **server.headers(),
            **TUS,
            **headers,
            "Upload-Offset": "0",
            "Content-Type": BYTES,
        },
        content=body(),
    )
    assert sent.status_code == 204, sent.text


def test_tuspy_uploads_in_parts(idle_server: VideoServer, tmp_path: Path) -> None:
    from tusclient.client import TusClient

    path = tmp_path / "clip.mp4"
    path.write_bytes(CONTENT)
    client = TusClient(
        f"http://127.0.0.1:{idle_server.port}/v1/uploads", headers=idle_server.headers()
    )
    named = {"metadata": {"filename": "clip.mp4"}, "chunk_size": 1000}
    # Given an open file, which it does not close.
    with path.open("rb") as file:
        uploader = client.uploader(file_stream=file, **named)
        uploader.upload_chunk()  # type: ignore[no-untyped-call]
        again = client.uploader(file_stream=file, url=uploader.url, **named)
        assert again.offset == 1000
        again.upload()
    job = job_of(str(again.url))
    video = idle_server.get(f"/v1/videos/{idle_server.job(job)['video']}").json()
    assert (video["name"], video["bytes"]) == ("clip.mp4", len(CONTENT))
