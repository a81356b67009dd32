"""Downloads against a real HTTP server on the loopback interface."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tallylens.download import download
from tallylens.edge_runtime.errors import InputError, NetworkError, UnavailableError

BODY = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """A server whose path `/silent` waits until it is released."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.release = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """One path for each way in which a server can behave."""

    def do_GET(self) -> None:
        if self.path == "/whole":
            self._send(BODY, len(BODY))
        elif self.path == "/moved":
            self._redirect("/whole")
        elif self.path == "/loop":
            self._redirect("/loop")
        elif self.path == "/cut":
            self._send(BODY[:100_000], len(BODY))
        elif self.path == "/unannounced":
            self._send(BODY, None)
        elif self.path == "/other":
            self._send(b"x" * len(BODY), len(BODY))
        elif self.path == "/silent":
            assert isinstance(self.server, Server)
            self.server.release.wait(10)
        else:
            self.send_error(404)

    def _send(self, body: bytes, announced: int | None) -> None:
        self.send_response(200)
        if announced is not None:
            self.send_header("Content-Length", str(announced))
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True

    def _redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    httpd = Server()
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.release.set()
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def fetch(url: str, target: Path, **changes: Any) -> None:
    arguments: dict[str, Any] = {"sha256": SHA256, "max_bytes": len(BODY), **changes}
    download(url, target, **arguments)


@pytest.mark.parametrize("path", ["/whole", "/moved", "/unannounced"])
def test_the_file_arrives_whole(server: str, tmp_path: Path, path: str) -> None:
    target = tmp_path / "new" / "model.pt"
    fetch(server + path, target)
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]


def test_progress_rises_to_the_announced_size(server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    fetch(server + "/whole", tmp_path / "m", progress=lambda *numbers: seen.append(numbers))
    assert seen[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_progress_without_an_announced_size(server: str, tmp_path: Path) -> None:
    seen: list[int | None] = []
    fetch(server + "/unannounced", tmp_path / "m", progress=lambda _, total: seen.append(total))
    assert set(seen) == {None}


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/missing", "the server answered with HTTP status 404"),
        ("/loop", "the server answered with HTTP status 302"),
        ("/cut", "the download ended after 100000 of 256000 bytes"),
    ],
)
def test_what_the_network_did_is_said(server: str, tmp_path: Path, path: str, problem: str) -> None:
    target = tmp_path / "model.pt"
    with pytest.raises(NetworkError, match=problem) as caught:
        fetch(server + path, target)
    assert caught.value.exit_status == 4
    assert caught.value.url == server + path
    assert f"save it as {target}" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_says_nothing(server: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="cannot be reached"):
        fetch(server + "/silent", tmp_path / "model.pt", timeout_s=0.05)
    assert list(tmp_path.iterdir()) == []


def test_no_server_at_all(server: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="cannot be reached"):
        fetch("http://127.0.0.1:1/model.pt", tmp_path / "model.pt")


def test_another_content_is_refused_and_the_old_file_stays(server: str, tmp_path: Path) -> None:
    target = tmp_path / "model.pt"
    target.write_bytes(b"old")
    with pytest.raises(InputError, match="not the expected file") as caught:
        fetch(server + "/other", target)
    assert caught.value.exit_status == 3
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("path", ["/whole", "/unannounced"])
def test_more_than_the_bound_is_refused(server: str, tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match=f"larger than the expected {len(BODY) - 1} bytes"):
        fetch(server + path, tmp_path / "m", max_bytes=len(BODY) - 1)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(server: str, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server + "/whole", tmp_path / "m", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnavailableError, match="cannot be written"):
        fetch(server + "/whole", tmp_path / "file" / "m")
