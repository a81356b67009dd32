from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from tallylens import Counter, Line, Tracks, UsageError, Zone
from tallylens.edge_runtime.errors import InputError, UnavailableError
from tallylens.edge_runtime.reports.annotate import AnnotatedVideo, draw
from tallylens.edge_runtime.reports.drawing import LINE_COLOR, Pen, class_color
from tallylens.edge_runtime.reports.labels import counts_label
from tallylens.edge_runtime.sources import open_source
from tests.support import squares

MIDDLE = Line(0, 0.5, 1, 0.5)
FLOOR = Zone(((0.1, 0.6), (0.9, 0.6), (0.9, 0.95), (0.1, 0.95)), "floor")


def annotate(model: Path, source: Path, target: Path) -> None:
    with (
        Counter(model, lines=[MIDDLE]) as counter,
        open_source(str(source)) as frames,
        AnnotatedVideo(target, frames) as video,
    ):
        for result in counter.watch(frames):
            assert not target.exists()
            video.frame(result)


def pictures_of(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    pictures = []
    while (read := capture.read())[0]:
        pictures.append(read[1])
    capture.release()
    return pictures


def test_every_frame_is_in_the_video(tiny_model: Path, crossing: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    annotate(tiny_model, crossing, target)
    written, source = pictures_of(target), pictures_of(crossing)
    assert len(written) == len(source) == 30
    assert {picture.shape for picture in written} == {(128, 128, 3)}
    assert cv2.VideoCapture(str(target)).get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    # The line and the labels are in it, however lossy the codec is.
    assert all(np.abs(a.astype(int) - b).max() > 100 for a, b in zip(written, source, strict=True))
    assert list(tmp_path.iterdir()) == [target]


def test_odd_sizes_can_be_written(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, picture in enumerate(squares.scene(size=(129, 127), frames=3)):
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    annotate(tiny_model, folder, tmp_path / "out.mp4")
    assert len(pictures_of(tmp_path / "out.mp4")) == 3


def test_a_box_is_drawn_around_the_object() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    track = Tracks(
        np.array([[100, 200, 300, 400]], np.float32),
        np.array([0.9], np.float32),
        np.array([1], np.int32),
        np.array([7], np.int64),
    )
    Pen(image).tracks(track, ("car", "person"))
    color = np.array(class_color(1))
    for y, x in ((300, 100), (300, 300), (400, 200)):
        # Smoothed edges are a little darker than the pen.
        assert np.abs(image[y, x] - color).max() < 30
    assert not image[210:390, 110:290].any()
    assert not image[410:].any()
    assert image[180:200, 100:110].any()


def test_writing_a_frame_leaves_it_as_it_is(
    tiny_model: Path, crossing: Path, tmp_path: Path
) -> None:
    with (
        Counter(tiny_model, lines=[MIDDLE]) as counter,
        open_source(str(crossing)) as frames,
        AnnotatedVideo(tmp_path / "out.mp4", frames) as video,
    ):
        for result in counter.watch(frames):
            assert result.frame.image is not None
            before = result.frame.image.copy()
            video.frame(result)
            assert np.array_equal(result.frame.image, before)


def test_draw_marks_the_places_and_the_objects(tiny_model: Path) -> None:
    with Counter(tiny_model, lines=[MIDDLE], zones=[FLOOR]) as counter:
        *_, result = counter.watch(squares.timed(squares.scene()[:10]))
        assert result.frame.image is not None
        image = result.frame.image.copy()
        draw(image, result)
        # The line, the zone and both objects have left their marks.
        changed = (image != result.frame.image).any(2)
        for y, x in ((64, 120), (77, 64), *result.tracks.xyxy[:, [3, 0]].astype(int)):
            assert changed[y - 1 : y + 2, x - 1 : x + 2].any()
        assert np.abs(image[64, 120] - np.array(LINE_COLOR)).max() < 30


def test_the_arrow_shows_which_way_is_in() -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    Pen(image).line((0, 64), (128, 64), "")
    assert image[68:, 40:88].any()
    assert not image[:60, 40:88].any()


def test_labels_stay_in_the_frame() -> None:
    image = np.zeros((128, 640, 3), np.uint8)
    Pen(image).text("a label", (10_000, -10_000), (0, 0, 200))
    rows, columns = np.nonzero(image.any(2))
    assert rows.min() == 0
    assert 600 < columns.max() < 640


def test_counts_label_sums_over_classes() -> None:
    assert counts_label("gate", {"in": {"car": 2, "bus": 1}, "out": {}}) == "gate  in 3  out 0"


def test_neighboring_classes_have_other_colors() -> None:
    colors = [class_color(i) for i in range(80)]
    assert all(np.ptp([a, b], axis=0).max() > 60 for a, b in itertools.pairwise(colors))


def test_nothing_is_left_after_an_error(tiny_model: Path, crossing: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"an older video")

    def fail_in_the_middle() -> None:
        with (
            Counter(tiny_model) as counter,
            open_source(str(crossing)) as frames,
            AnnotatedVideo(target, frames) as video,
        ):
            for result in counter.watch(frames):
                video.frame(result)
                if result.frame.index == 5:
                    raise LookupError

    with pytest.raises(LookupError):
        fail_in_the_middle()
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == b"an older video"


def test_a_video_that_came_out_short_is_no_video(
    tiny_model: Path, crossing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A full disk, as OpenCV shows it: no error, and a shorter file.
    monkeypatch.setattr(AnnotatedVideo, "_is_whole", lambda self: False)
    with pytest.raises(UnavailableError, match=r"out\.mp4 could not be written\. Free some disk"):
        annotate(tiny_model, crossing, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_is_noticed(tiny_model: Path, crossing: Path, tmp_path: Path) -> None:
    (tmp_path / ".out.part.mp4").symlink_to("/dev/full")
    with pytest.raises(UnavailableError):
        annotate(tiny_model, crossing, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.avi", "no video can be written to"),
        ("none/out.mp4", "no video can be written to"),
        ("folder.mp4", "no video can be written to"),
    ],
)
def test_where_no_video_can_be(
    tiny_model: Path, crossing: Path, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UsageError, match=message):
        annotate(tiny_model, crossing, tmp_path / name)


def test_the_source_is_not_overwritten(tiny_model: Path, crossing: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(crossing)
    before = crossing.read_bytes()
    for target in (crossing, link):
        with pytest.raises(UsageError, match="is the source itself"):
            annotate(tiny_model, crossing, target)
    assert crossing.read_bytes() == before


def test_a_folder_without_leave_to_write(
    tiny_model: Path, crossing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tallylens.edge_runtime.reports.annotate.os.access", lambda path, mode: False
    )
    with pytest.raises(InputError, match="its folder cannot be written to"):
        annotate(tiny_model, crossing, tmp_path / "out.mp4")
