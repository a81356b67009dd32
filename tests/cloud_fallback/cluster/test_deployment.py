"""`serve --ray` on this machine: two replicas with sockets, two with the model; some die."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tallylens.cloud_fallback.client import connection as client_module
from tallylens.cloud_fallback.client.connection import CloudClient
from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.server.keys import entry, new_key
from tallylens.cloud_fallback.wire.client_session import EncodedImage
from tallylens.cloud_fallback.wire.constants import MAX_FRAME_BYTES, PATH, SUBPROTOCOL, CloseCode
from tallylens.cloud_fallback.wire.frames import HEADER_BYTES, Codec
from tallylens.cloud_fallback.wire.messages import Drain, Hello, Result, decode_server, encode
from tallylens.edge_runtime.counting.regions import Line
from tests.support.listening_sockets import Listening, children_of, listening
from tests.support.squares import scene

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs tallylens[cluster]"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
PATIENCE_S = 60.0
FRAMES = 30


@dataclass
class Cluster:
    """A running `serve --ray`, with a key of all scopes."""

    process: subprocess.Popen[str]
    port: int
    key: str

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def replicas(self, deployment: str) -> list[int]:
        """The processes of the replicas that are there now."""
        title = f"ray::ServeReplica:tallylens:{deployment}".encode()
        found = []
        for process in children_of(self.process.pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{process}/cmdline").read_bytes().startswith(title):
                    found.append(process)
        return found

    def page(self, path: str) -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {self.key}"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())

    def connect(self, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        chosen: Any = {"subprotocols": [SUBPROTOCOL], "additional_headers": headers, **options}
        return connect(f"{self.url}{PATH}", proxy=None, **chosen)


@pytest.fixture(scope="module")
def cluster(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Everything on this machine, with keys of its own."""
    folder = tmp_path_factory.mktemp("cluster")
    key, keys, log = new_key(), folder / "keys.toml", folder / "log"
    plan = "[plans.few]\nconnections = 12\n"
    keys.write_text(plan + entry("tester", key, ("detect", "count", "metrics"), plan="few"))
    command = [sys.executable, "-m", "tallylens", "serve", "--ray", "--model", str(tiny_model)]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--keys", str(keys), "--port", "0"],
            stderr=output,
            text=True,
            env={**environment, "PYTHONWARNINGS": "ignore"},
        )
    try:
        port = _port(process, log)
        yield Cluster(process, port, key)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(PATIENCE_S) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[str], log: Path) -> int:
    deadline = time.monotonic() + 2 * PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"listening on port (\d+)", log.read_text())
        if found:
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_nothing_listens_beside_loopback(cluster: Cluster) -> None:
    """Ray runs code for whoever reaches its ports: there are none for others."""
    found = listening(cluster.process.pid)
    assert {one for one in found if not one.loopback} == set()
    public = [one for one in found if one.port == cluster.port]
    assert {one.process for one in public} == set(cluster.replicas("ingress"))
    assert Listening(cluster.replicas("ingress")[0], "127.0.0.1", cluster.port) in found


def test_ray_runs_nothing_without_the_token(cluster: Cluster) -> None:
    """Another user of this machine reaches the ports on loopback."""
    environment = Path(f"/proc/{cluster.replicas('ingress')[0]}/environ").read_bytes()
    settings = dict(one.split(b"=", 1) for one in environment.split(b"\0") if b"=" in one)
    assert settings[b"RAY_AUTH_MODE"] == b"token"
    assert len(settings[b"RAY_AUTH_TOKEN"]) == 64
    # The client of Ray's control store, which starts processes: ray.init would retry for minutes.
    code = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
    stranger = {
        name: value for name, value in os.environ.items() if not name.startswith("RAY_")
    } | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", code, _gcs_address(cluster)]
    outcome = subprocess.run(
        command, env=stranger, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert outcome.returncode != 0
    assert "AuthenticationError" in outcome.stderr


def test_no_other_user_enters_its_folder(cluster: Cluster) -> None:
    """It has the sockets of Ray, and frames under way."""
    folder = _session_folder(cluster)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.glob("ray/session_*/sockets/*"))


def _session_folder(cluster: Cluster) -> Path:
    for process in children_of(cluster.process.pid):
        command = Path(f"/proc/{process}/cmdline").read_bytes()
        found = re.search(rb"--session-dir=([^\0]+)", command)
        if found:
            return Path(found[1].decode()).parents[1]
    raise AssertionError("no process names the folder of the session")


def _gcs_address(cluster: Cluster) -> str:
    for process in children_of(cluster.process.pid):
        command = Path(f"/proc/{process}/cmdline").read_bytes()
        found = re.search(rb"--gcs-address=([0-9.:]+)", command)
        if found:
            return found[1].decode()
    raise AssertionError("no process names the address of the GCS")


def test_the_protocol_is_that_of_one_process(cluster: Cluster) -> None:
    with cluster.connect(compression="deflate") as websocket:
        assert websocket.protocol.extensions == []
        websocket.send(encode(Hello()))
        assert decode_server(str(websocket.recv(PATIENCE_S)))
        # The server may close before it has read all of it.
        with contextlib.suppress(ConnectionClosed):
            websocket.send(bytes(MAX_FRAME_BYTES + HEADER_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(PATIENCE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == CloseCode.MESSAGE_TOO_BIG


def test_a_key_has_its_connections_once_in_all(cluster: Cluster) -> None:
    """Two replicas admit together what the plan allows, once they have heard of each other."""
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(cluster.connect())
        time.sleep(2.5)
        for _ in range(8):
            with pytest.raises(Exception, match="HTTP 429"):
                cluster.connect()


def test_the_metrics_are_of_all_replicas(cluster: Cluster) -> None:
    with contextlib.closing(CloudClient(cluster.url, Secret(cluster.key))) as client:
        assert client.start(PATIENCE_S) is not None
        for number, image in enumerate(scene(frames=4)):
            assert isinstance(submit(client, image, number).result(PATIENCE_S), Result)
    time.sleep(2.5)
    text = cluster.page("/metrics")
    names = set(re.findall(r'tallylens_connections\{replica="(\w+)"', text))
    assert len(names) >= 4, "the two with sockets, and the two with the model"
    counted = re.findall(r'tallylens_batch_size_sum\{replica="\w+"\} ([0-9.]+)', text)
    assert sum(map(float, counted)) >= 4
    assert "replica=" not in cluster.page("/metrics?of=self")


def test_the_probe_of_the_manifest_is_answered(cluster: Cluster) -> None:
    """Without a program in the image, and without the token."""
    manifest = Path(__file__).parents[3] / "deploy" / "rayservice.yaml"
    (document,) = [
        one for one in yaml.safe_load_all(manifest.read_text()) if one["kind"] == "RayService"
    ]
    group = document["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]
    (container,) = group["template"]["spec"]["containers"]
    probe = container["livenessProbe"]["httpGet"]
    assert probe["port"] in {one.port for one in listening(cluster.process.pid)}
    url = f"http://127.0.0.1:{probe['port']}{probe['path']}"
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        assert answer.status == 200


def test_replicas_that_die_lose_no_count(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mode count: whichever replica has the session, every frame is counted once."""
    monkeypatch.setattr(client_module, "LONGEST_BACKOFF_S", 0.5)
    url, key = cluster.url, Secret(cluster.key)
    regions = (Line(0.0, 0.5, 1.0, 0.5),)
    clients = [CloudClient(url, key, hello=Hello("count", regions=regions)) for _ in range(4)]
    assert all(client.start(PATIENCE_S) is not None for client in clients)
    sockets, models = cluster.replicas("ingress"), cluster.replicas("detector")
    assert (len(sockets), len(models)) == (2, 2)
    # Every client was with one of the two, so that each has come back at least once.
    dies = {5: sockets[0], 10: models[0], 20: sockets[1]}
    for number, image in enumerate(scene()):
        if number in dies:
            os.kill(dies[number], signal.SIGKILL)
        replies = [submit(client, image, number) for client in clients]
        assert all(isinstance(reply.result(PATIENCE_S), Result) for reply in replies)
    summaries = [client.close() for client in clients]
    for summary in summaries:
        assert summary is not None
        assert (summary.frames, summary.answered) == (FRAMES, FRAMES)
        assert summary.counts["unique"] == {"car": 1, "person": 1}
        assert summary.counts["lines"][0]["in"] == {"car": 1}
    assert all(client.totals.connections > 1 for client in clients)


def submit(client: CloudClient, image: Any, number: int) -> Any:
    height, width = image.shape[:2]
    picture = EncodedImage(image.tobytes(), width, height, Codec.RAW)
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        pending = client.submit(picture, number * 100_000, PATIENCE_S)
        if pending is not None:
            return pending.reply
        time.sleep(0.01)
    raise AssertionError("the client does not come back")


def test_a_planned_end_answers_and_closes_with_1012(cluster: Cluster) -> None:
    """The last test of the cluster: SIGTERM, as the operator's machine sends it."""
    folder = _session_folder(cluster)
    with cluster.connect() as websocket:
        websocket.send(encode(Hello()))
        assert decode_server(str(websocket.recv(PATIENCE_S)))
        cluster.process.send_signal(signal.SIGTERM)
        assert isinstance(decode_server(str(websocket.recv(PATIENCE_S))), Drain)
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(PATIENCE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == CloseCode.RESTART
    assert cluster.process.wait(PATIENCE_S) == 0
    assert not listening(cluster.process.pid)
    assert not folder.exists()
