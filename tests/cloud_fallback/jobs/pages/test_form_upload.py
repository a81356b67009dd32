"""The upload of a form: its parts, however they arrive, and what is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.cloud_fallback.jobs.pages.form_upload import (
    MAX_FIELDS_BYTES,
    FormParts,
    options_of,
)
from tallylens.cloud_fallback.jobs.problems import ProblemError
from tests.support.video_server import VideoServer

BOUNDARY = "----form"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    more = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: video/mp4'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


@given(
    st.binary(max_size=300).filter(lambda content: BOUNDARY.encode() not in content),
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_parts_are_the_same_in_any_blocks(content: bytes, sizes: list[int]) -> None:
    whole = body(part("lines", "0,0.5,1,0.5,Straße".encode()), part("file", content, "a b.mp4"))
    parts, at = FormParts(BOUNDARY.encode()), 0
    for size in [*sizes, len(whole)]:
        parts.write(whole[at : at + size])
        at += size
    assert parts.fields == {"lines": "0,0.5,1,0.5,Straße"}
    assert (parts.filename, bytes(parts.bytes), parts.ended) == ("a b.mp4", content, True)


@given(st.binary(max_size=400))
def test_what_is_no_form_is_refused_or_has_no_end(content: bytes) -> None:
    parts = FormParts(BOUNDARY.encode())
    with contextlib.suppress(ProblemError):
        parts.write(f"--{BOUNDARY}\r\n".encode() + content)
        assert not parts.ended or b"--" in content


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (body(part("file", b"x", "a.mp4"), part("lines", b"")), 400),
        (body(part("file", b"x", "a.mp4"), part("file", b"x", "b.mp4")), 400),
        (body(part("lines", b"x" * (MAX_FIELDS_BYTES + 1))), 413),
        (body(*[part("lines", b"")] * 21), 400),
        (b"no form", 400),
        (body(part("lines", b"\xff")), 400),
        (b"--" + BOUNDARY.encode() + b"\r\nContent-Disposition: form-data\r\n\r\nx", 400),
    ],
)
def test_forms_that_are_refused(content: bytes, status: int) -> None:
    with pytest.raises(ProblemError) as refused:
        FormParts(BOUNDARY.encode()).write(content)
    assert refused.value.status == status


def test_options_are_those_of_an_upload() -> None:
    fields = {"lines": " 0,0.5,1,0.5,road \r\n\r\n", "zones": "", "classes": "car, , dog"}
    options = options_of(fields)
    assert options.lines == ("0,0.5,1,0.5,road",)
    assert (options.zones, options.classes, options.any_class) == ((), ("car", "dog"), False)
    with pytest.raises(ProblemError):
        options_of({"lines": "0,0.5"})


@pytest.mark.slow
class TestServer:
    """Over HTTP."""

    def send(self, server: VideoServer, content: bytes, **headers: str) -> int:
        sent = {**server.headers(), **HEADERS, **headers}
        answer = server.client.post("/videos", headers=sent, content=content)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return answer.status_code

    def test_nothing_is_left_of_what_is_refused(self, idle_server: VideoServer) -> None:
        files = set((idle_server.videos / "files").iterdir())
        videos = idle_server.get("/v1/videos").json()
        good = part("file", b"x", "a.mp4")
        refused = [
            self.send(idle_server, body(part("file", b"", "a.mp4"))),
            self.send(idle_server, body(part("lines", b""))),
            self.send(idle_server, body(part("lines", b"0,1"), good)),
            self.send(idle_server, good),
            self.send(idle_server, body(good, part("lines", b""))),
            self.send(idle_server, body(good), **{"Content-Type": "text/plain"}),
            self.send(idle_server, body(good), **{"Sec-Fetch-Site": "cross-site"}),
            self.send(idle_server, body(good), Origin="https://elsewhere.example"),
        ]
        assert refused == [400, 400, 422, 400, 400, 415, 403, 403]
        assert set((idle_server.videos / "files").iterdir()) == files
        assert idle_server.get("/v1/videos").json() == videos

    def test_a_body_beyond_the_plan_is_refused_before_it_is_read(
        self, idle_server: VideoServer
    ) -> None:
        import socket

        key = idle_server.headers()["Authorization"]
        lines = ["POST /videos HTTP/1.1", "Host: x", f"Authorization: {key}"]
        lines += [f"Content-Type: {HEADERS['Content-Type']}", "Content-Length: 9000000000000"]
        with socket.create_connection(("127.0.0.1", idle_server.port), 10) as client:
            client.sendall("\r\n".join([*lines, "", ""]).encode())
            assert client.recv(100).startswith(b"HTTP/1.1 413")

    def test_a_form_makes_a_video_and_a_job(self, idle_server: VideoServer, tmp_path: Path) -> None:
        content = bytes(range(256)) * 5000
        form = body(part("lines", b"0,0.5,1,0.5,road"), part("file", content, "..\\my \u00e9.mp4"))
        sent = {**idle_server.headers(), **HEADERS}
        answer = idle_server.client.post("/videos", headers=sent, content=form)
        assert answer.status_code == 303
        video = idle_server.get(f"/v1{answer.headers['location']}").json()
        assert (video["name"], video["bytes"]) == ("my \u00e9.mp4", len(content))
        assert video["jobs"][0]["options"]["lines"] == ["0,0.5,1,0.5,road"]
        stored = idle_server.videos / "files" / video["id"][-26:]
        assert stored.read_bytes() == content
