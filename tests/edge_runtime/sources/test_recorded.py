"""Recorded detections are read as untrusted: every fault is refused in words, before any frame."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallylens import RecordedDetections, SourceError
from tallylens.edge_runtime.sources.recorded import is_recorded

Change = Callable[[dict[str, Any]], object]


def arrays() -> dict[str, Any]:
    """Two cars in the first frame, none in the second, a bus in the third."""
    return {
        "size": np.array([640, 360], np.int32),
        "timestamp_ns": np.array([0, 40, 80], np.int64),
        "boxes_per_frame": np.array([2, 0, 1], np.int32),
        "class_names": np.array(["car", "bus"]),
        "xyxy": np.arange(12, dtype=np.float32).reshape(3, 4),
        "confidence": np.array([0.9, 0.5, 0.25], np.float32),
        "class_id": np.array([0, 0, 1], np.int16),
    }


def write(path: Path, content: dict[str, Any]) -> Path:
    np.savez_compressed(path, **content)
    return path


def test_the_frames_of_a_file(tmp_path: Path) -> None:
    with RecordedDetections(write(tmp_path / "a.npz", arrays())) as source:
        assert (source.size, source.class_names) == ((640, 360), ("car", "bus"))
        assert source.frames_total == 3
        frames = list(source)
    assert [(frame.index, frame.timestamp_ns, len(found)) for frame, found in frames] == [
        (0, 0, 2),
        (1, 40, 0),
        (2, 80, 1),
    ]
    assert [frame.image for frame, _ in frames] == [None] * 3
    found = frames[2][1]
    assert found.xyxy.tolist() == [[8, 9, 10, 11]]
    assert (found.confidence.tolist(), found.class_id.tolist()) == ([0.25], [1])


def test_frames_can_be_skipped_and_the_pass_ended(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", arrays())
    source = RecordedDetections(path, start=2)
    assert [(frame.index, len(found)) for frame, found in source] == [(2, 1)]
    source = RecordedDetections(path)
    source.close()
    assert list(source) == []


def test_arrays_of_other_orders_and_types(tmp_path: Path) -> None:
    content = arrays()
    content["xyxy"] = np.asfortranarray(content["xyxy"].astype(np.float64))
    content["class_id"] = content["class_id"].astype(np.uint8)
    found = list(RecordedDetections(write(tmp_path / "a.npz", content)))[2][1]
    assert found.xyxy.tolist() == [[8, 9, 10, 11]]
    assert found.xyxy.dtype == np.float32
    assert found.class_id.dtype == np.int32


def test_files_are_known_by_their_name() -> None:
    assert is_recorded("a.npz")
    assert is_recorded(Path("b.NPZ"))
    assert not is_recorded("a.mp4")
    assert not is_recorded(0)


def nan_box(content: dict[str, Any]) -> None:
    content["xyxy"][1, 2] = np.nan


def turned_box(content: dict[str, Any]) -> None:
    content["xyxy"][1, 2] = -1


FAULTS: dict[str, Change] = {
    "it has no array": lambda c: c.pop("confidence"),
    "the frame size is not": lambda c: c.update(size=np.array([640, 0])),
    "the frame size is": lambda c: c.update(size=np.array([640, 360, 3])),
    "it has no frames": lambda c: c.update(timestamp_ns=np.array([], np.int64)),
    "the timestamps do not increase": lambda c: c.update(timestamp_ns=np.array([0, 40, 40])),
    "the timestamps do": lambda c: c.update(timestamp_ns=np.array([0, 40, 1 << 63], np.uint64)),
    "boxes_per_frame is not one": lambda c: c.update(boxes_per_frame=np.array([3, -1, 1])),
    "boxes_per_frame is not": lambda c: c.update(boxes_per_frame=np.array([3, 0])),
    "boxes_per_frame is": lambda c: c.update(boxes_per_frame=np.array([10_001, 0, 0])),
    "do not have the 4 rows": lambda c: c.update(boxes_per_frame=np.array([2, 1, 1])),
    "do not have the 3 rows": lambda c: c.update(confidence=np.array([0.5, 0.5], np.float32)),
    "a class id is not from 0 to 1": lambda c: c.update(class_id=np.array([0, 2, 0])),
    "a class id is not from": lambda c: c.update(class_id=np.array([0, -1, 0])),
    "a box is not finite": nan_box,
    "a box is not": turned_box,
    "a box is": lambda c: c.update(xyxy=np.full((3, 4), 1e300)),
    "a confidence is not": lambda c: c.update(confidence=np.array([0.5, 1.5, 0.5], np.float32)),
    "a confidence is": lambda c: c.update(confidence=np.array([0.5, np.nan, 0.5], np.float32)),
    "it is damaged": lambda c: c.update(class_id=np.array(["a", "b", "c"])),
    "it is": lambda c: c.update(xyxy=np.zeros(12, np.float32)),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_each_fault_is_named(reason: str, tmp_path: Path) -> None:
    content = arrays()
    FAULTS[reason](content)
    with pytest.raises(SourceError, match=f"a.npz: .*{reason}") as caught:
        RecordedDetections(write(tmp_path / "a.npz", content))
    assert "tallylens count --detections" in caught.value.remedy


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        RecordedDetections(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_text("frames")
    with pytest.raises(SourceError, match="not recorded detections: it is damaged"):
        RecordedDetections(tmp_path / "text.npz")


def test_pickles_are_not_read(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    content = arrays() | {"class_names": np.array([Trap(), Trap()], object)}
    with pytest.raises(SourceError, match="it is damaged"):
        RecordedDetections(write(tmp_path / "a.npz", content))
    assert not (tmp_path / "sprung").exists()


def npy(shape: str) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    text = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("shape", ["(1 << 40, 4)", "(1099511627776, 4)", "(-1, 4)", "(3,)"])
def test_sizes_are_checked_before_memory_is_taken(shape: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", arrays() | {"xyxy": np.zeros(0, np.float32)})
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(tmp_path / "b.npz", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, npy(shape) if name == "xyxy.npy" else good.read(name))
    with pytest.raises(SourceError, match="it is damaged"):
        RecordedDetections(tmp_path / "b.npz")


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", arrays() | {"class_id": np.zeros(0, np.int16)})
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(tmp_path / "b.npz", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, good.read(name))
    # The directory at the end of the file says how long a member is.
    data = bytearray((tmp_path / "b.npz").read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"xyxy.npy"))
    data[entry + 24 : entry + 28] = ((1 << 30) + 1).to_bytes(4, "little")
    (tmp_path / "c.npz").write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match="more than 1024 MiB of arrays"):
            RecordedDetections(tmp_path / "c.npz")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays())
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.npz"
    cut = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    path.write_bytes(content[:cut])
    try:
        frames = list(RecordedDetections(path))
    except SourceError:
        return
    assert len(frames) == 3
