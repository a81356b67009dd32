"""Ray Serve on one machine: two replicas with sockets, two with the model; one of each dies."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tallylens.cloud_fallback.client import connection as client_module
from tallylens.cloud_fallback.client.connection import CloudClient
from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.cluster.autoscaling import Load, wanted_replicas
from tallylens.cloud_fallback.server.keys import entry, new_key
from tallylens.cloud_fallback.server.run import Address
from tallylens.cloud_fallback.wire.client_session import EncodedImage
from tallylens.cloud_fallback.wire.frames import Codec
from tallylens.cloud_fallback.wire.messages import Hello, Result
from tallylens.edge_runtime.counting.regions import Line
from tests.support.squares import scene

PATIENCE_S = 60.0
FRAMES = 30


def context(now: int, **metrics: list[float]) -> Any:
    return SimpleNamespace(
        current_num_replicas=now,
        aggregated_metrics={name: dict(enumerate(values)) for name, values in metrics.items()},
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=4,
    )


@pytest.mark.parametrize(
    ("now", "busy", "waited_s", "wanted"),
    [
        (2, [0.7, 0.7], [0.0, 0.0], 2),
        (2, [0.9, 0.9], [0.0, 0.0], 3),
        (2, [0.1, 0.1], [0.0, 0.0], 1),
        (2, [0.1, 0.1], [0.0, 0.3], 3),
        (4, [1.0] * 4, [0.3] * 4, 4),
        (2, [0.0, 0.0], [0.0, 0.0], 1),
    ],
)
def test_replicas_follow_the_load_and_the_wait(
    now: int, busy: list[float], waited_s: list[float], wanted: int
) -> None:
    assert wanted_replicas(context(now, busy=busy, waited_s=waited_s)) == (wanted, {})


def test_without_metrics_nothing_changes() -> None:
    assert wanted_replicas(context(3)) == (3, {})


def test_a_replica_tells_what_happened_since_it_was_asked() -> None:
    load = Load(10.0)
    load.worked(0.5)
    load.worked(0.2)
    load.waited(0.1)
    load.waited(0.05)
    assert load.stats(11.0) == {"busy": pytest.approx(0.7), "waited_s": 0.1}
    assert load.stats(12.0) == {"busy": 0.0, "waited_s": 0.0}


@pytest.fixture
def cluster(
    tiny_model: Path, tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Secret]]:
    """Everything on this machine, with keys of its own."""
    # Ray asks in its own name for what the tests forbid: warnings are not ours to raise.
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    pytest.importorskip("ray", reason="needs tallylens[cluster]")
    import ray

    from tallylens.cloud_fallback.cluster.deployment import ClusterConfig, deploy, shutdown
    from tallylens.cloud_fallback.cluster.remote import APPLICATION

    key = new_key()
    keys = tmp_path / "keys.toml"
    keys.write_text(entry("tester", key))
    ray.init(
        num_cpus=2,
        namespace=APPLICATION,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="warning",
        object_store_memory=100 << 20,
    )
    try:
        deploy(ClusterConfig(tiny_model, keys, Address("127.0.0.1", free_port)))
        yield f"ws://127.0.0.1:{free_port}", Secret(key)
        shutdown()
    finally:
        ray.shutdown()


def processes(deployment: str) -> list[int]:
    """Of the replicas that are there now."""
    title = f"ray::ServeReplica:tallylens:{deployment}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(title):
                found.append(int(process.name))
    assert len(found) == 2
    return found


@pytest.mark.filterwarnings("ignore")
def test_replicas_that_die_lose_no_count(
    cluster: tuple[str, Secret], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mode count: whichever replica has the session, every frame is counted once."""
    monkeypatch.setattr(client_module, "LONGEST_BACKOFF_S", 0.5)
    url, key = cluster
    regions = (Line(0.0, 0.5, 1.0, 0.5),)
    clients = [CloudClient(url, key, hello=Hello("count", regions=regions)) for _ in range(4)]
    assert all(client.start(PATIENCE_S) is not None for client in clients)
    sockets, models = processes("ingress"), processes("detector")
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
