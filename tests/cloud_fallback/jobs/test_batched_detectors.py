"""A worker whose model takes batches: on a CPU here, with the classes that a GPU has."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens.built_in import DEMO_FLOAT
from tallylens.cloud_fallback.jobs.batched_detectors import Batches
from tallylens.cloud_fallback.jobs.job_count import JobDetectors
from tallylens.cloud_fallback.server.accelerators import listed_gpus
from tallylens.cloud_fallback.server.models import BatchedDetector
from tallylens.converters.emit.onnx_server import emit_onnx_server
from tallylens.converters.load import load
from tallylens.edge_runtime.types import Detections, Image
from tallylens.job_model import job_model, worker_environments
from tests.conftest import Outcome
from tests.support.squares import scene
from tests.support.video_server import VideoServer

LINE = "0,0.6,1,0.6,road"


@pytest.fixture(scope="module")
def server_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's model as `convert --server` writes it."""
    path = tmp_path_factory.mktemp("model") / "demo-server.onnx"
    path.write_bytes(emit_onnx_server(load(DEMO_FLOAT)))
    return path


@pytest.fixture
def detectors(server_model: Path) -> Any:
    model = job_model(server_model)
    opened = model.open((320, 192), False)
    yield opened
    opened.close()


def test_count_says_where_such_a_model_belongs(
    tallylens: Callable[..., Outcome], server_model: Path, crossing: Path
) -> None:
    outcome = tallylens("count", crossing, "--model", server_model)
    assert outcome.status == 3
    assert "Give it to tallylens serve, or convert without --server" in outcome.err


def pictures(number: int) -> list[Image]:
    """Scenes with noise on them, so that no two are alike."""
    random = np.random.default_rng(1)
    images = scene(frames=number)
    return [image // 2 + random.integers(0, 128, image.shape, np.uint8) for image in images]


def test_each_frame_gets_what_it_would_get_alone(detectors: JobDetectors) -> None:
    images = pictures(30)
    with ThreadPoolExecutor(len(detectors.workers)) as pool:
        found = list(pool.map(lambda image: detectors.workers[0].detect(image), images))
    assert detectors.timing().frames == len(images)
    alone = [detectors.workers[0].detect(image) for image in images]
    assert sum(map(len, alone)) > 0
    for one, expected in zip(found, alone, strict=True):
        assert one.class_id.tolist() == expected.class_id.tolist()
        np.testing.assert_allclose(one.xyxy, expected.xyxy, atol=2e-3)


class Instance:
    """A detector that notes its batches; it fails for images of zeros."""

    max_batch = 4

    def __init__(self) -> None:
        self.batches: list[int] = []

    def detect(self, images: Sequence[Any]) -> list[Detections]:
        self.batches.append(len(images))
        if any(not image.any() for image in images):
            raise RuntimeError("out of memory")
        return [
            Detections(
                np.full((1, 4), image[0, 0, 0], np.float32),
                np.ones(1, np.float32),
                np.zeros(1, np.int32),
            )
            for image in images
        ]


def batches_of(instance: Any) -> Batches:
    instances: list[BatchedDetector] = [instance]
    return Batches(instances)


def test_frames_of_many_threads_are_few_batches() -> None:
    instance = Instance()
    batches = batches_of(instance)
    images = [np.full((2, 2, 3), value, np.uint8) for value in range(1, 41)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(batches.detect, images))
    batches.close()
    assert [one.xyxy[0, 0] for one in found] == list(range(1, 41))
    assert max(instance.batches) > 1
    assert sum(instance.batches) == 40


def test_a_fault_reaches_those_who_wait_and_nobody_else() -> None:
    batches = batches_of(Instance())
    with pytest.raises(RuntimeError, match="out of memory"):
        batches.detect(np.zeros((2, 2, 3), np.uint8))
    assert len(batches.detect(np.ones((2, 2, 3), np.uint8))) == 1
    batches.close()
    with pytest.raises(RuntimeError, match="closed"):
        batches.detect(np.ones((2, 2, 3), np.uint8))


def test_a_driver_lists_its_gpus_and_the_environment_chooses(tmp_path: Path) -> None:
    for bus in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        (tmp_path / bus).mkdir()
    assert listed_gpus({}, tmp_path) == ["0", "1", "2"]
    assert listed_gpus({"CUDA_VISIBLE_DEVICES": "2,0"}, tmp_path) == ["2", "0"]
    assert listed_gpus({"CUDA_VISIBLE_DEVICES": "1,-1,2"}, tmp_path) == ["1"]
    assert listed_gpus({"CUDA_VISIBLE_DEVICES": ""}, tmp_path) == []
    assert listed_gpus({"CUDA_VISIBLE_DEVICES": "0"}, tmp_path / "missing") == []


def test_one_worker_per_gpu(server_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = job_model(server_model)
    assert [one.get("CUDA_VISIBLE_DEVICES") for one in worker_environments(model, None, {})] == [
        None
    ]
    monkeypatch.setattr("tallylens.job_model.visible_gpus", lambda _: ["3", "5"])
    found = worker_environments(model, None, {"A": "1"})
    assert found == [{"A": "1", "CUDA_VISIBLE_DEVICES": name} for name in ("3", "5")]
    found = worker_environments(model, 3, {})
    assert [one["CUDA_VISIBLE_DEVICES"] for one in found] == ["3", "5", "3"]


def test_other_models_have_one_worker_per_core(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallylens.job_model.usable_cores", lambda: 3)
    assert worker_environments(job_model(tiny_model), None, {"A": "1"}) == [{"A": "1"}] * 3


@pytest.mark.slow
def test_a_report_is_that_of_count(
    video_server: Callable[..., VideoServer],
    tallylens: Callable[..., Outcome],
    server_model: Path,
    tmp_path: Path,
) -> None:
    """One worker, although there are more cores."""
    assert tallylens("demo", "--seconds", "5", "--out", tmp_path, "--json").status == 0
    street = tmp_path / "street.mp4"
    counted = tallylens("count", street, "--model", DEMO_FLOAT, "--line", LINE, "--json")
    expected = json.loads(counted.out)
    server = video_server(model=server_model, workers=1)
    job = server.upload(street, {"lines": [LINE]})
    ended = server.wait(job)
    assert (ended["state"], ended["error"]) == ("done", None)
    report = server.report(job)
    for key in ("frames", "unique", "lines"):
        assert report[key] == expected[key], key
    assert sum(report["unique"].values()) > 0
    assert report["engine"] == "onnxruntime-cpu"
