from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens import MissingExtraError, ModelError, UnsupportedModelError, UsageError, store
from tallylens.converters import convert as converting
from tallylens.edge_runtime.engines import open_engine
from tallylens.models import (
    LONGEST_SIDE,
    fitting_input,
    open_to_measure,
    ready_model,
    runs_as_it_is,
)
from tests.support import squares
from tests.support.conversions import converted

WIDE = (1280, 720)
sides = st.integers(1, 10_000)


@given(sides, sides, st.sampled_from([8, 32, 64]))
def test_the_fitting_input_holds_the_frame_and_no_more(
    width: int, height: int, stride: int
) -> None:
    input_height, input_width = fitting_input((width, height), stride)
    assert input_height % stride == input_width % stride == 0
    assert max(input_height, input_width) == LONGEST_SIDE
    scale = LONGEST_SIDE / max(width, height)
    for frame, side in ((width, input_width), (height, input_height)):
        assert side - stride - 1e-3 < frame * scale <= side + 1e-3
        assert side >= stride


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ((1920, 1080), (384, 640)),
        ((1080, 1920), (640, 384)),
        ((640, 640), (640, 640)),
        ((640, 480), (480, 640)),
        ((640, 352), (352, 640)),
        ((4000, 1), (32, 640)),
        ((320, 180), (384, 640)),
    ],
)
def test_fitting_inputs(frame: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fitting_input(frame, 32) == expected


def test_what_runs_is_taken_as_it_is(tiny_model: Path, tmp_path: Path, own_home: Path) -> None:
    tflite = tmp_path / "any-name"
    tflite.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    for model in (tflite, tiny_model):
        assert ready_model(model, frame_size=WIDE) == model
        with pytest.raises(UsageError) as caught:
            ready_model(model, frame_size=WIDE, imgsz=(320, 320))
        assert caught.value.problem == (
            f"--imgsz has no effect on {model.name}, which is converted already"
        )
    assert not own_home.exists()


def test_an_onnx_of_others_is_a_checkpoint(tmp_path: Path) -> None:
    proto = squares.tiny_model_proto()
    del proto.metadata_props[:]
    onnx.save(proto, tmp_path / "other.onnx")
    assert not runs_as_it_is(tmp_path / "other.onnx")


@pytest.mark.parametrize("name", ["model.pt", "model.onnx", "model.tflite"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello\n", "not a model file that tallylens knows"),
        (b"\x89PNG\r\n\x1a\n", "this is an image"),
        (b"\0\0\0\x18ftypisom", "this is a video"),
        (b"\x80\x02}q\x00.", "a pickle without a zip around it"),
        (b"\x08", "not an ONNX model, or damaged"),
    ],
)
def test_what_is_no_model(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        ready_model(path, frame_size=WIDE)
    assert caught.value.exit_status == 3
    assert caught.value.path == str(path)


def test_core_ml_packages_are_for_apple(tmp_path: Path) -> None:
    (tmp_path / "m.mlpackage").mkdir()
    with pytest.raises(UnsupportedModelError, match="run on Apple devices only"):
        ready_model(tmp_path / "m.mlpackage", frame_size=WIDE)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "m.tflite").write_bytes(b"x")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match=r"Permission denied\. Check the path"):
        ready_model(tmp_path / "m.tflite", frame_size=WIDE)


@pytest.fixture
def checkpoint(data: Path) -> Path:
    """A real checkpoint of random weights, small enough to be converted in a moment."""
    return data / "checkpoints" / "v7-tiny-3class.pt"


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int] | None]:
    """The input sizes that were converted to, in order."""
    sizes: list[tuple[int, int] | None] = []
    convert: Callable[..., object] = converting.convert

    def noting(*arguments: object, **options: Any) -> object:
        sizes.append(options["input_size"])
        return convert(*arguments, **options)

    monkeypatch.setattr(converting, "convert", noting)
    return sizes


@pytest.mark.realdata
def test_a_checkpoint_is_converted_once(
    checkpoint: Path, conversions: list[tuple[int, int]], own_home: Path
) -> None:
    first = ready_model(checkpoint, frame_size=WIDE)
    assert first.parent == own_home / "converted"
    with open_engine(first) as engine:
        assert engine.metadata.input_size == (384, 640)
    assert ready_model(checkpoint, frame_size=WIDE) == first
    assert conversions == [(384, 640)]
    assert list(first.parent.iterdir()) == [first]


@pytest.mark.realdata
def test_another_input_is_another_file(
    checkpoint: Path, conversions: list[tuple[int, int]]
) -> None:
    fitted = ready_model(checkpoint, frame_size=WIDE)
    square = ready_model(checkpoint, frame_size=WIDE, imgsz=(64, 64))
    assert fitted != square
    with open_engine(square) as engine:
        assert engine.metadata.input_size == (64, 64)
    assert conversions == [(384, 640), (64, 64)]


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("left", [0, 1000, -1])
def test_a_cut_off_conversion_is_made_again(
    checkpoint: Path, conversions: list[tuple[int, int]], left: int
) -> None:
    made = ready_model(checkpoint, frame_size=WIDE, imgsz=(64, 64))
    whole = made.read_bytes()
    made.write_bytes(whole[:left])
    assert ready_model(checkpoint, frame_size=WIDE, imgsz=(64, 64)) == made
    assert made.read_bytes() == whole
    assert len(conversions) == 2


@pytest.mark.slow
@pytest.mark.realdata
def test_two_threads_that_want_the_same(checkpoint: Path) -> None:
    start = threading.Barrier(2)
    made: list[Path] = []

    def work() -> None:
        start.wait()
        made.append(ready_model(checkpoint, frame_size=WIDE, imgsz=(64, 64)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[0] == made[1]
    assert runs_as_it_is(made[0])
    assert list(made[0].parent.iterdir()) == [made[0]]


@pytest.mark.realdata
def test_an_input_that_the_model_cannot_take(checkpoint: Path, own_home: Path) -> None:
    with pytest.raises(UsageError, match="multiples of 32"):
        ready_model(checkpoint, frame_size=WIDE, imgsz=(100, 100))
    assert not (own_home / "converted").exists() or not list((own_home / "converted").iterdir())


@pytest.mark.realdata
@pytest.mark.parametrize("package", ["onnx", "onnx-ir", "onnxruntime"])
def test_a_missing_extra_is_named(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    module = package.replace("-", "_")
    from importlib.util import find_spec

    monkeypatch.setattr(
        "tallylens.extras.importlib.util.find_spec",
        lambda name: None if name == module else find_spec(name),
    )
    with pytest.raises(MissingExtraError) as caught:
        ready_model(checkpoint, frame_size=WIDE)
    assert str(caught.value) == (
        f"converting v7-tiny-3class.pt needs the package {package}, which is not installed. "
        "Install it with: pip install 'tallylens[convert]'."
    )


@pytest.mark.realdata
def test_a_name_of_the_store(checkpoint: Path) -> None:
    stored = store.model_path("yolov5n")
    stored.parent.mkdir(parents=True)
    stored.write_bytes(checkpoint.read_bytes())
    made = ready_model("yolov5n", frame_size=WIDE, imgsz=(64, 64))
    assert made.name.startswith("yolov5n-")


@pytest.mark.slow
@pytest.mark.realdata
def test_a_core_ml_package_can_be_measured_and_inspected_but_not_counted_with(
    data: Path,
) -> None:
    from tallylens.commands.inspect import describe

    package = converted(data / "checkpoints" / "v7-tiny-3class.pt", "coreml", "64x96")
    with open_to_measure(package) as engine:
        assert engine.metadata.input_size == (64, 96)
        assert [head.shape[2:] for head in engine.run()] == [(8, 12), (4, 6), (2, 3)]
    document = describe(package)
    assert document["kind"] == "Core ML package"
    assert document["size_bytes"] == sum(
        file.stat().st_size for file in package.rglob("*") if file.is_file()
    )
    with pytest.raises(UnsupportedModelError, match="Apple devices only"):
        ready_model(package, frame_size=(640, 480))
