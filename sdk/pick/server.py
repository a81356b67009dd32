"""The server of the page: this machine only, for one frame and one user.

Other users of the machine and other pages of the browser must not see the frame: it is served on
loopback below a secret path, and requests that name another host or come from another page are
refused. The address that the browser is started with is valid once, because the arguments of a
program are visible to all users; it leads to the secret path.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Sequence
from functools import partial
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any

from tallylens.edge_runtime.errors import ProtocolError, UnavailableError
from tallylens.edge_runtime.text import markup
from tallylens.pick.drawing import DrawnRegion, as_options, quoted, read_regions
from tallylens.pick.frame import PickedFrame

HOST = "127.0.0.1"
MAX_BODY_BYTES = 1 << 20
REQUEST_S = 10.0
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; script-src 'self'; "
    "style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
ASSETS = {"page.css": "text/css", "page.js": "text/javascript"}
FOLDER = Path(__file__).parent


class PickServer:
    """Serves the page on loopback until `close`.

    Args:
        frame: what is drawn on.
        regions: drawn already when the page opens.
        port: 0 takes a free one.

    Attributes:
        regions: what is drawn now.
        done: set when the user has finished.

    Raises:
        UnavailableError: the port is in use.
    """

    def __init__(
        self, frame: PickedFrame, regions: Sequence[DrawnRegion] = (), port: int = 0
    ) -> None:
        self.frame = frame
        self.regions = list(regions)
        self.done = threading.Event()
        self.jpeg = frame.jpeg()
        self._secret, self._once = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._lock = threading.Lock()
        try:
            self._server = _Server((HOST, port), partial(_Handler, self))
        except OSError as error:
            raise UnavailableError(
                f"port {port} of this machine cannot be used ({error.strerror})",
                "Omit --port to use a free one",
            ) from error
        self.host = f"{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The secret address of the page."""
        return f"http://{self.host}/{self._secret}/"

    @property
    def url_once(self) -> str:
        """An address that leads to `url`, once."""
        return f"http://{self.host}/{self._once}"

    def take_once(self, path: str) -> bool:
        """Whether `path` is that of `url_once`, which has not been asked for yet."""
        with self._lock:
            if not self._once or not _same(path, f"/{self._once}"):
                return False
            self._once = ""
            return True

    def inside(self, path: str) -> str | None:
        """The part of `path` behind the secret, None if it is not below the secret."""
        head = f"/{self._secret}/"
        return path[len(head) :] if _same(path[: len(head)], head) else None

    def page(self) -> bytes:
        """The page, with what is drawn: a user may draw before any other answer comes."""
        (width, height), text = self.frame.size, (FOLDER / "page.html").read_text(encoding="utf-8")
        values = {
            "source": self.frame.source,
            "at": f"{self.frame.at_s:.2f}",
            "width": width,
            "height": height,
            "regions": json.dumps([region.as_dict() for region in self.regions]),
        }
        shown = Template(text).substitute({key: markup(value) for key, value in values.items()})
        return shown.encode(errors="backslashreplace")

    def state(self) -> dict[str, Any]:
        """The options of the regions, and the problem of each region or None."""
        regions = self.regions
        return {
            "problems": [region.problem() for region in regions],
            "options": quoted(as_options(regions)),
        }

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _same(given: str, expected: str) -> bool:
    return compare_digest(given.encode(errors="replace"), expected.encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a browser closes connections when it likes."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = REQUEST_S

    def __init__(self, pick: PickServer, *arguments: Any) -> None:
        self.pick = pick
        super().__init__(*arguments)

    def version_string(self) -> str:
        """The `Server` header: no versions."""
        return "tallylens"

    def log_message(self, *arguments: object) -> None:
        """Nothing: the paths are secrets."""

    def do_GET(self) -> None:
        """Serve the page and what belongs to it."""
        if not self._is_from_here():
            return
        name = self.pick.inside(self.path)
        # A browser may fetch an address ahead while it is typed; that must not use it up.
        if name is None and "Sec-Purpose" not in self.headers and self.pick.take_once(self.path):
            self._answer(HTTPStatus.SEE_OTHER, b"", "text/plain", Location=self.pick.url)
        elif name == "":
            self._answer(HTTPStatus.OK, self.pick.page(), "text/html; charset=utf-8")
        elif name == "frame.jpg":
            self._answer(HTTPStatus.OK, self.pick.jpeg, "image/jpeg")
        elif name in ASSETS:
            content = (FOLDER / name).read_bytes()
            self._answer(HTTPStatus.OK, content, f"{ASSETS[name]}; charset=utf-8")
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "Open the address that tallylens pick shows.")

    def do_POST(self) -> None:
        """Take what was drawn; `done` also ends the command."""
        if not self._is_from_here():
            return
        name = self.pick.inside(self.path)
        length = self.headers.get("Content-Length", "")
        if name not in ("regions", "done"):
            self._refuse(HTTPStatus.NOT_FOUND, "Open the address that tallylens pick shows.")
        elif self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            self._refuse(HTTPStatus.FORBIDDEN, "The request comes from another page.")
        elif not (length.isascii() and length.isdigit() and int(length) <= MAX_BODY_BYTES):
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
        else:
            self._take(name, self.rfile.read(int(length)))

    def _take(self, name: str, body: bytes) -> None:
        try:
            self.pick.regions = read_regions(json.loads(body))
        except (ValueError, RecursionError):
            self._refuse(HTTPStatus.BAD_REQUEST, "The request is not JSON.")
        except ProtocolError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        else:
            self._answer_json(self.pick.state())
            if name == "done":
                self.pick.done.set()

    def _is_from_here(self) -> bool:
        """Whether the request names this server; other names lead here by DNS rebinding only."""
        port = self.pick.host.rpartition(":")[2]
        if self.headers.get("Host") in (self.pick.host, f"localhost:{port}"):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "The request names another host.")
        return False

    def _answer_json(self, document: dict[str, Any]) -> None:
        self._answer(HTTPStatus.OK, json.dumps(document).encode(), "application/json")

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        # The rest of the request is not read.
        self.close_connection = True
        self._answer(status, reason.encode(), "text/plain; charset=utf-8", Connection="close")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str, **more: str) -> None:
        self.send_response(status)
        given = {"Content-Type": kind, "Content-Length": str(len(body)), **HEADERS, **more}
        for key, value in given.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
