"""Precision of detectors whose score is known beforehand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.converters.evaluation.evaluate import evaluate, read_labels
from tallylens.edge_runtime.errors import InputError
from tallylens.edge_runtime.types import Detections, Image

HEIGHT, WIDTH = 100, 200
# Class, center and size of each image's objects.
OBJECTS = {
    "a": [(0, 0.25, 0.5, 0.2, 0.4), (2, 0.75, 0.5, 0.2, 0.4)],
    "b": [(0, 0.5, 0.5, 0.5, 0.5)],
    "c": [],
}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three images, whose blue value is their number, and their labels."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    for number, (name, objects) in enumerate(OBJECTS.items()):
        image = np.full((HEIGHT, WIDTH, 3), number, np.uint8)
        (images / f"{name}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
        if objects:
            lines = "\n".join(" ".join(map(str, entry)) for entry in objects)
            (labels / f"{name}.txt").write_text(lines + "\n")
    return images, labels


def detector(shift: float = 0.0, drop_class: int = -1) -> Callable[[Image], Detections]:
    """Finds every object, moved right by `shift` of its width, but for one class."""

    def detect(image: Image) -> Detections:
        objects = OBJECTS["abc"[image[0, 0, 0]]]
        found = [entry for entry in objects if entry[0] != drop_class]
        rows = [
            (
                (cx - w / 2 + shift * w) * WIDTH,
                (cy - h / 2) * HEIGHT,
                (cx + w / 2 + shift * w) * WIDTH,
                (cy + h / 2) * HEIGHT,
            )
            for _, cx, cy, w, h in found
        ]
        return Detections(
            np.asarray(rows, np.float32).reshape(-1, 4),
            np.full(len(rows), 0.9, np.float32),
            np.asarray([entry[0] for entry in found], np.int32),
        )

    return detect


def test_a_perfect_detector(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    progress: list[tuple[str, float | None]] = []
    result = evaluate(detector(), *folders, lambda *report: progress.append(report))
    assert result.map50_95 == pytest.approx(1)
    assert result.map50 == result.map75 == pytest.approx(1)
    assert (result.images, result.unlabeled, result.objects) == (3, 1, 3)
    assert result.per_class == {0: pytest.approx(1), 2: pytest.approx(1)}
    assert progress == [("evaluate", 1 / 3), ("evaluate", 2 / 3), ("evaluate", 1.0)]
    assert capsys.readouterr().out == ""


def test_shifted_boxes_pass_the_loose_thresholds_only(
    folders: tuple[Path, Path],
) -> None:
    # Shifted by a fifth of the width the IoU is 0.8 / 1.2 = 0.667: right at 0.5 to 0.65.
    result = evaluate(detector(shift=0.2), *folders)
    assert result.map50 == pytest.approx(1)
    assert result.map75 == 0
    assert result.map50_95 == pytest.approx(0.4)


def test_a_missed_class_halves_the_mean(folders: tuple[Path, Path]) -> None:
    result = evaluate(detector(drop_class=2), *folders)
    assert result.map50_95 == pytest.approx(0.5)
    assert result.per_class == {0: pytest.approx(1), 2: pytest.approx(0)}


def test_classes_without_labels_do_not_count(folders: tuple[Path, Path]) -> None:
    def detect(image: Image) -> Detections:
        found = detector()(image)
        return Detections(
            np.concatenate([found.xyxy, [[0, 0, 9, 9]]]).astype(np.float32),
            np.append(found.confidence, np.float32(1)),
            np.append(found.class_id, np.int32(77)),
        )

    assert evaluate(detect, *folders).map50_95 == pytest.approx(1)


def test_finding_nothing_is_zero(folders: tuple[Path, Path]) -> None:
    result = evaluate(lambda image: Detections.empty(), *folders)
    assert (result.map50_95, result.map50, result.per_class) == (0, 0, {0: 0, 2: 0})


def test_no_label_at_all_is_an_error(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as refusal:
        evaluate(detector(), folders[0], tmp_path / "empty")
    assert str(refusal.value) == (
        f"{tmp_path / 'empty'}: holds no labeled object for these images. "
        "Put one label file per image there, such as a.txt."
    )
    with pytest.raises(InputError, match="is not a folder"):
        evaluate(detector(), folders[0], tmp_path / "absent")


@pytest.mark.parametrize(
    "line",
    [
        "0 0.5 0.5 0.1",
        "0 0.5 0.5 0.1 0.1 0.9",
        "car 0.5 0.5 0.1 0.1",
        "-1 0.5 0.5 0.1 0.1",
        "0.5 0.5 0.5 0.1 0.1",
        "0 320 240 50 50",
        "0 0.5 0.5 0 0.1",
        "0 nan 0.5 0.1 0.1",
        "99999999 0.5 0.5 0.1 0.1",
        "inf 0.5 0.5 0.1 0.1",
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"0 0.5 0.5 0.1 0.1\n\n{line}\n")
    with pytest.raises(InputError) as refusal:
        read_labels(path)
    assert str(refusal.value) == (
        f"{path}: line 3 is not a label ({line!r}). "
        "Write each line as: class cx cy w h, with sizes as fractions of the image."
    )


def test_files_that_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not text"):
        read_labels(path)
    path.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(InputError, match="is larger than 1 MiB"):
        read_labels(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_labels(tmp_path / "absent.txt")


@given(st.text(max_size=60))
def test_any_text_is_labels_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        boxes = read_labels(path)
    except InputError:
        return
    assert all(0 <= side <= 1 for box in boxes for side in box[1:])
