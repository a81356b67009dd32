"""Outputs do not overwrite inputs, and no file is written twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tallylens import Counter, UsageError
from tallylens.edge_runtime.outputs import check_apart


def test_files_with_names_of_their_own(tmp_path: Path) -> None:
    written = [tmp_path / "a", None, Path("-"), Path("-"), tmp_path / "b"]
    check_apart({"source": "rtsp://camera/1", "model": tmp_path / "c"}, written)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (["video.mp4"], "video.mp4 is the source itself. Give the output another name."),
        (["x/../model"], "x/../model is the model itself. Give the output another name."),
        (["link"], "link is the source itself. Give the output another name."),
        (["second"], "second is the source itself. Give the output another name."),
        (["r.json", "r.json"], "r.json is written twice. Give the output another name."),
    ],
)
def test_files_that_are_something_else(
    written: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "video.mp4").touch()
    (tmp_path / "link").symlink_to("video.mp4")
    (tmp_path / "second").hardlink_to("video.mp4")
    with pytest.raises(UsageError) as caught:
        check_apart({"source": "video.mp4", "model": "model"}, map(Path, written))
    assert str(caught.value) == message


@pytest.mark.parametrize("read", ["source", "model"])
def test_events_do_not_end_a_video_or_a_model(read: str, tiny_model: Path, crossing: Path) -> None:
    path = {"source": crossing, "model": tiny_model}[read]
    before = path.read_bytes()
    with (
        Counter(tiny_model, events=path) as counter,
        pytest.raises(UsageError, match=f"is the {read} itself"),
    ):
        counter.run(crossing)
    assert path.read_bytes() == before


def test_frames_of_your_own_have_no_file(tiny_model: Path, tmp_path: Path) -> None:
    with Counter(tiny_model, events=tmp_path / "e.jsonl") as counter:
        counter.update(np.zeros((96, 96, 3), np.uint8), 0.0)
