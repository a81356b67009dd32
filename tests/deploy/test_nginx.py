"""The site of deploy/nginx.conf in a real nginx, in front of a real service: counts equal."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tallylens import Counter, Line
from tallylens.cloud_fallback.client.offloader import OffloadOptions
from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates
from tests.support.running_service import PATIENCE_S, RunningService, ServiceFactory
from tests.support.squares import scene, timed

SITE = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
LINES = [Line(0, 0.5, 1, 0.5)]
FRAMES = 30
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="needs nginx (apt install nginx)"),
]


@dataclass
class Proxy:
    """A running nginx, and the CA of its public certificate."""

    port: int
    ca: Path
    behind: RunningService


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def proxy(tiny_model: Path, tmp_path: Path) -> Iterator[Proxy]:
    public, inner = (make_dev_certificates(tmp_path / name) for name in ("public", "inner"))
    factory = ServiceFactory(tiny_model, inner, tmp_path)
    behind, port = factory(tls=True), free_port()
    process = start(tmp_path, port, behind.port, public, inner)
    try:
        wait_for(port)
        yield Proxy(port, public[0], behind)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        factory.close()


def start(
    folder: Path, port: int, behind: int, public: tuple[Path, ...], inner: tuple[Path, ...]
) -> subprocess.Popen[bytes]:
    """nginx with the site as it is, but for ports, name and files."""
    replaced = {
        "127.0.0.1:8443": f"127.0.0.1:{behind}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "count.example.com": "localhost",
        "/etc/tallylens/public.crt": str(public[1]),
        "/etc/tallylens/public.key": str(public[2]),
        "/etc/tallylens/ca.pem": str(inner[0]),
    }
    site = SITE.read_text()
    for old, new in replaced.items():
        assert site.count(old) == 1, old
        site = site.replace(old, new)
    (folder / "site.conf").write_text(site)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log info;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}include {folder}/site.conf;\n}}\n"
    )
    assert NGINX is not None
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    return subprocess.Popen(command)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("nginx does not listen")


def test_the_count_through_nginx_is_the_local_one(proxy: Proxy, tiny_model: Path) -> None:
    frames = timed(scene(frames=FRAMES))
    with Counter(tiny_model, lines=LINES, workers=1) as counter:
        local = counter.run(frames)
    options = OffloadOptions(
        f"wss://localhost:{proxy.port}",
        proxy.behind.secret,
        "always",
        ca=proxy.ca,
        deadline_s=PATIENCE_S,
    )
    with Counter(tiny_model, lines=LINES, offload=options, workers=1) as counter:
        report = counter.run(frames)
    assert (report.unique, report.lines) == (local.unique, local.lines)
    assert report.offload is not None
    assert report.offload["frames"] == {"local": 0, "cloud": FRAMES, "skip": 0}


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/"])
def test_what_is_for_the_inside_is_not_for_the_outside(proxy: Proxy, path: str) -> None:
    tls = ssl.create_default_context(cafile=proxy.ca)
    request = urllib.request.Request(
        f"https://localhost:{proxy.port}{path}",
        headers={"Authorization": f"Bearer {proxy.behind.key}"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE_S, context=tls)
    with refused.value as answer:
        assert answer.code == 404
