"""A server that speaks the part of S3 that obstore uses, on loopback: a stand-in for a bucket."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, store: ObjectStore, port: int) -> None:
        self.store = store
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, which an outage cuts."""
        self.connections.add(request)
        super().process_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _request(self) -> tuple[str, dict[str, list[str]], bytes]:
        parts = urllib.parse.urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        return urllib.parse.unquote(parts.path), query, self.rfile.read(length)

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self) -> None:
        path, query, body = self._request()
        if "partNumber" in query:
            parts = self.server.store.parts[query["uploadId"][0]]
            parts[int(query["partNumber"][0])] = body
        else:
            self.server.store.objects[path] = body
        self._answer(200, etag=f'"{hashlib.md5(body).hexdigest()}"')

    def do_POST(self) -> None:
        path, query, body = self._request()
        store = self.server.store
        if "delete" in query:
            self._delete_many(body)
            return
        if "uploads" in query:
            upload = str(len(store.parts) + 1)
            store.parts[upload] = {}
            text = f"<UploadId>{upload}</UploadId>"
            kind = "InitiateMultipartUploadResult"
        else:
            parts = store.parts.pop(query["uploadId"][0])
            store.objects[path] = b"".join(parts[number] for number in sorted(parts))
            text, kind = '<ETag>"x"</ETag>', "CompleteMultipartUploadResult"
        answer = f"<{kind}><Bucket>b</Bucket><Key>k</Key>{text}</{kind}>"
        self._answer(200, answer.encode(), content_type="application/xml")

    def _delete_many(self, body: bytes) -> None:
        bucket = self.path.split("?")[0].rstrip("/")
        keys = re.findall(r"<Key>([^<]*)</Key>", body.decode())
        for key in keys:
            self.server.store.objects.pop(f"{bucket}/{key}", None)
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        text = f"<DeleteResult>{deleted}</DeleteResult>"
        self._answer(200, text.encode(), content_type="application/xml")

    def do_GET(self) -> None:
        path, _, _ = self._request()
        found = self.server.store.objects.get(path)
        if found is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        stamp = "Thu, 01 Jan 2026 00:00:00 GMT"
        self._answer(200, found, etag='"x"', last_modified=stamp)

    do_HEAD = do_GET  # noqa: N815

    def do_DELETE(self) -> None:
        path, _, _ = self._request()
        self.server.store.objects.pop(path, None)
        self._answer(204)


class ObjectStore:
    """One bucket in memory; `stop` and `start` are an outage."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.port = 0
        self._server: _Server | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which obstore reaches it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "only",
            "AWS_SECRET_ACCESS_KEY": "for tests",
            "AWS_REGION": "nowhere",
        }

    def start(self) -> None:
        """Listen, on the port that it had before, if any."""
        self._server = _Server(self, self.port)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            for connection in self._server.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._server = None
