"""`serve --ray --videos` on this machine: the replicas of the model count uploaded videos."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Outcome
from tests.support.listening_sockets import children_of
from tests.support.video_server import VideoServer, comparable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs tallylens[cluster]"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
LINE = "0,0.5,1,0.5,road"
START_S = 180.0
OPTIONS = ("--ray", "--replicas", "2,1")


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoServer]:
    """Two processes with sockets, one with the model, one worker."""
    folder = tmp_path_factory.mktemp("videos-on-ray")
    quiet = {"PYTHONWARNINGS": "ignore"}
    server = VideoServer(folder, tiny_model, *OPTIONS, environment=quiet, patience_s=START_S)
    server.environment.pop("RAY_ADDRESS", None)
    with server.start().running():
        yield server


def model_replicas(server: VideoServer) -> list[int]:
    """The processes with the model."""
    assert server.process is not None
    title = b"ray::ServeReplica:tallylens:detector"
    return [
        one
        for one in children_of(server.process.pid)
        if Path(f"/proc/{one}/cmdline").read_bytes().startswith(title)
    ]


@pytest.mark.parametrize("any_class", [False, True])
def test_a_report_is_that_of_count(
    server: VideoServer,
    tallylens: Callable[..., Outcome],
    tiny_model: Path,
    crossing: Path,
    any_class: bool,
) -> None:
    more = ["--any-class"] if any_class else []
    counted = tallylens("count", crossing, "--model", tiny_model, "--line", LINE, *more, "--json")
    job = server.upload(crossing, {"lines": [LINE], "any_class": any_class})
    ended = server.wait(job)
    assert (ended["state"], ended["error"]) == ("done", None)
    report, expected = comparable(server.report(job)), comparable(json.loads(counted.out))
    assert report.pop("model") == Path(expected.pop("model")).name
    assert report.pop("engine") == "ray"
    assert expected.pop("engine") != "ray"
    assert report == expected
    assert report["unique"]


def test_a_replica_that_dies_costs_no_frame(server: VideoServer, crossing: Path) -> None:
    (replica,) = model_replicas(server)
    os.kill(replica, signal.SIGKILL)
    job = server.upload(crossing, {"lines": ["0,0.4,1,0.4,road"]})
    ended = server.wait(job)
    assert (ended["state"], ended["frames"], ended["attempt"]) == ("done", 30, 1)
    assert server.report(job)["unique"] == {"car": 1, "person": 1}
    assert replica not in model_replicas(server)
