"""The server of the page: only its own user reads the frame; requests are bounded and checked."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from html import unescape
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.errors import UnavailableError
from tallylens.pick.frame import PickedFrame
from tallylens.pick.server import MAX_BODY_BYTES, PickServer

LINE = {"kind": "line", "points": [[0, 0.5], [1, 0.5]], "name": "road"}


@pytest.fixture
def server() -> Iterator[PickServer]:
    image = np.full((36, 64, 3), 90, np.uint8)
    served = PickServer(PickedFrame("a<b>.mp4", 1.5, image))
    yield served
    served.close()


def ask(
    server: PickServer, path: str, body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(server.host, timeout=10)
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    connection.request("GET" if body is None else "POST", path, body, given)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def secret(server: PickServer) -> str:
    return server.url.removeprefix(f"http://{server.host}")


def post(server: PickServer, document: Any, name: str = "regions") -> tuple[int, Any]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    answer, content = ask(server, secret(server) + name, body, Origin=f"http://{server.host}")
    return answer.status, json.loads(content) if answer.status == 200 else content.decode()


def test_the_page_is_self_contained_and_escapes_the_source(server: PickServer) -> None:
    answer, content = ask(server, secret(server))
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Server"] == "tallylens"
    page = content.decode()
    assert "a&lt;b&gt;.mp4 · frame at 1.50 s · 64 x 36 pixels" in page
    assert "http://" not in page
    assert "https://" not in page
    for name, kind in (
        ("page.js", "text/javascript"),
        ("page.css", "text/css"),
        ("frame.jpg", "image/jpeg"),
    ):
        answer, content = ask(server, secret(server) + name)
        assert answer.headers["Content-Type"].startswith(kind)
        assert content


@pytest.mark.parametrize(
    "path", ["/", "/frame.jpg", "/x/frame.jpg", "//frame.jpg", "/%00", "/../etc/passwd", "/page.js"]
)
def test_nothing_is_served_without_the_secret(server: PickServer, path: str) -> None:
    answer, content = ask(server, path)
    assert answer.status == 404
    assert content == b"Open the address that tallylens pick shows."


@pytest.mark.parametrize("name", ["../server.py", "server.py", "page.html", "%2e%2e/server.py"])
def test_only_the_files_of_the_page_are_served(server: PickServer, name: str) -> None:
    assert ask(server, secret(server) + name)[0].status == 404


def test_the_address_for_the_browser_is_valid_once(server: PickServer) -> None:
    once = server.url_once.removeprefix(f"http://{server.host}")
    assert once not in server.url
    # A browser may fetch it ahead.
    assert ask(server, once, Sec_Purpose="prefetch")[0].status == 404
    answer, _ = ask(server, once)
    assert (answer.status, answer.headers["Location"]) == (303, server.url)
    assert ask(server, once)[0].status == 404
    assert ask(server, "/")[0].status == 404


def test_other_hosts_and_other_pages_are_refused(server: PickServer) -> None:
    answer, content = ask(server, secret(server) + "frame.jpg", Host="evil.example")
    assert (answer.status, content) == (403, b"The request names another host.")
    port = server.host.partition(":")[2]
    assert ask(server, secret(server), Host=f"localhost:{port}")[0].status == 200
    body = json.dumps({"regions": [LINE]}).encode()
    for headers in ({}, {"Origin": "null"}, {"Origin": "http://evil.example"}):
        answer, _ = ask(server, secret(server) + "regions", body, **headers)
        assert answer.status == 403
    assert server.regions == []


def test_regions_are_checked_as_count_checks_them(server: PickServer) -> None:
    bow_tie = {"kind": "zone", "points": [[0, 0], [1, 1], [1, 0], [0, 1]]}
    status, state = post(server, {"regions": [LINE, bow_tie]})
    assert status == 200
    assert state["options"] == "--line 0,0.5,1,0.5,road"
    assert state["problems"] == [
        None,
        "the sides of a zone cross. Give its corners in their order around the area.",
    ]
    assert not server.done.is_set()
    assert post(server, {"regions": [LINE]}, "done")[0] == 200
    assert server.done.wait(5)
    _, content = ask(server, secret(server))
    given = re.search(r'data-drawn="([^"]*)"', content.decode())
    assert given is not None
    assert json.loads(unescape(given[1])) == [{**LINE, "details": ""}]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        [],
        {},
        {"regions": 3},
        {"regions": [LINE] * 257},
        {"regions": [{**LINE, "kind": "circle"}]},
        {"regions": [{**LINE, "kind": ["line"]}]},
        {"regions": [{**LINE, "points": [[0, 0]]}]},
        {"regions": [{**LINE, "points": [[0, 0]] * 1001}]},
        {"regions": [{**LINE, "points": [[0, 0], [0, 1.01]]}]},
        {"regions": [{**LINE, "points": [[0, 0], [0, "1"]]}]},
        {"regions": [{**LINE, "points": [[0, 0], [0, True, 1]]}]},
        b'{"regions": [{"kind": "line", "points": [[0, 0], [0, NaN]]}]}',
        {"regions": [{**LINE, "name": "a\nb"}]},
        {"regions": [{**LINE, "name": "a" * 201}]},
        {"regions": [{**LINE, "details": 3}]},
    ],
)
def test_what_is_not_a_drawing_is_refused(server: PickServer, document: Any) -> None:
    assert post(server, {"regions": [LINE]})[0] == 200
    status, reason = post(server, document)
    assert status == 400
    assert reason
    assert [region.name for region in server.regions] == ["road"]


def test_large_and_endless_bodies_are_not_read(server: PickServer) -> None:
    host, _, port = server.host.partition(":")
    address = host, int(port)
    for length in (str(MAX_BODY_BYTES + 1), "-1", "x", ""):
        with socket.create_connection(address, timeout=10) as connection:
            head = (
                f"POST {secret(server)}regions HTTP/1.1\r\nHost: {server.host}\r\n"
                f"Origin: http://{server.host}\r\nContent-Length: {length}\r\n\r\n"
            )
            connection.sendall(head.encode())
            answer = connection.makefile("rb").readline()
        assert b" 413 " in answer


def test_it_listens_on_loopback_only(server: PickServer) -> None:
    assert server.host.startswith("127.0.0.1:")


def test_a_port_in_use_is_an_error_in_words(server: PickServer) -> None:
    port = int(server.host.partition(":")[2])
    with pytest.raises(UnavailableError, match=f"port {port} of this machine cannot be used"):
        PickServer(server.frame, port=port)
