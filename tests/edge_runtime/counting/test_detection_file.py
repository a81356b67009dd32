"""The recorded detections are those of the detector, also when a count ends early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens import Detections, Line, RecordedDetections, UsageError
from tallylens.edge_runtime.counting.detection_file import DetectionFile
from tallylens.edge_runtime.counting.saved_count import SavedCount
from tallylens.edge_runtime.counting.session import CountSession
from tallylens.edge_runtime.counting.sinks import FrameResult
from tallylens.edge_runtime.counting.state_file import StateFile
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.types import Image
from tallylens.testing import FakeDetector
from tests.support.detections import detections

SIZE = (100, 200)
IMAGE: Image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
FRAMES = [detections((40, y - 20, 60, y, 0.9, 1), (0, 0, 5, 5, 0.15, 0)) for y in range(50, 150, 8)]
FRAMES.insert(5, Detections.empty())
PAIRS = [(index * 100_000_000, IMAGE) for index in range(len(FRAMES))]


def recording(path: Path, **more: Any) -> CountSession:
    sinks = [DetectionFile(path)]
    detectors = [FakeDetector(FRAMES)]
    lines = [Line(0, 100, 100, 100)]
    names = ["car", "bus"]
    return CountSession("camera", detectors, names, SIZE, sinks=sinks, lines=lines, **more)


def assert_recorded(path: Path, frames: int) -> None:
    source = RecordedDetections(path)
    assert (source.size, source.class_names) == (SIZE, ("car", "bus"))
    for (frame, found), (timestamp_ns, _), truth in zip(
        source, PAIRS[:frames], FRAMES[:frames], strict=True
    ):
        assert frame.timestamp_ns == timestamp_ns
        assert np.array_equal(found.xyxy, truth.xyxy)
        assert np.array_equal(found.confidence, truth.confidence)
        assert np.array_equal(found.class_id, truth.class_id)


def test_everything_that_was_found_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with recording(path, classes=["car"]) as counting:
        counting.run(open_source(PAIRS))
        assert not path.exists(), "it appears whole"
    assert_recorded(path, len(FRAMES))
    assert list(tmp_path.iterdir()) == [path]


def test_the_classes_of_the_model_are_recorded_with_any_class(tmp_path: Path) -> None:
    with recording(tmp_path / "a.npz", any_class=True) as counting:
        counting.run(open_source(PAIRS))
    assert_recorded(tmp_path / "a.npz", len(FRAMES))


def test_the_arrays_are_those_of_the_streams(tmp_path: Path) -> None:
    with recording(tmp_path / "a.npz") as counting:
        counting.run(open_source(PAIRS))
    with np.load(tmp_path / "a.npz") as saved:
        assert {key: saved[key].dtype for key in saved.files} == {
            "size": np.int32,
            "class_names": np.dtype("<U3"),
            "timestamp_ns": np.int64,
            "boxes_per_frame": np.int32,
            "xyxy": np.float32,
            "confidence": np.float32,
            "class_id": np.int16,
        }


def test_an_interrupted_count_records_what_it_saw(tmp_path: Path) -> None:
    def stop(result: FrameResult) -> None:
        if result.frame.index == 3:
            raise KeyboardInterrupt

    with recording(tmp_path / "a.npz") as counting:
        counting.run(open_source(PAIRS), on_frame=stop)
    assert_recorded(tmp_path / "a.npz", 4)


def test_recorded_detections_give_the_same_report(tmp_path: Path) -> None:
    with recording(tmp_path / "a.npz") as counting:
        report = counting.run(open_source(PAIRS))
    again = CountSession("camera", [], ["car", "bus"], SIZE, lines=[Line(0, 100, 100, 100)])
    with again:
        repeated = again.run(RecordedDetections(tmp_path / "a.npz"))
    assert report.lines[0].crossed_in == {"bus": 1}
    assert repeated.as_dict() | {"speed": None} == report.as_dict() | {"speed": None}
    assert repeated.history is not None
    assert repeated.history.picture() is None


def test_without_a_frame_nothing_is_written(tmp_path: Path) -> None:
    with recording(tmp_path / "a.npz"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.npy", "missing/a.npz"])
def test_where_nothing_can_be_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Use an \.npz in a folder that exists"):
        DetectionFile(tmp_path / name)


def test_a_resumed_count_is_not_recorded(tmp_path: Path) -> None:
    state = tmp_path / "a.state"
    with recording(tmp_path / "a.npz", saved=SavedCount(StateFile(state))) as counting:
        counting.run(open_source(PAIRS))
    with pytest.raises(UsageError, match="Start over without the state file"):
        recording(tmp_path / "b.npz", saved=SavedCount(StateFile(state)))
