""".tflite detectors of other exporters, recognized by shapes, quantization and a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.detection.model_variant import ModelVariant
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.engines.heads import Tensor
from tallylens.edge_runtime.engines.tflite_boxes import recognize
from tallylens.edge_runtime.engines.tflite_labels import read_own_words
from tallylens.edge_runtime.engines.tflite_model import read_tflite
from tallylens.edge_runtime.errors import ModelError, UnsupportedModelError, UsageError
from tests.support.decoded_models import CLASSES, SIZE, Form, Kind, decoded_tflite, with_archive
from tests.support.engine_models import Save

CONTENTS = {
    "official": ("scored_boxes", (1, 360, 7), (96.0, 64.0)),
    "onnx2tf": ("scored_boxes", (1, 360, 7), (1.0, 1.0)),
    "ultralytics": ("class_boxes", (1, 6, 120), (96.0, 64.0)),
}
OFFICIAL = "{'stride': 16, 'names': {0: 'car', 1: 'person'}}"
PACKAGE = '{"task": "detect", "imgsz": [64, 96], "names": {"0": "car", "1": "person"}}'

Make = Callable[[Form, Kind], bytes]


@pytest.fixture(scope="module")
def make() -> Make:
    """A detector of an exporter, made once."""
    pytest.importorskip("tensorflow")
    made: dict[tuple[Form, Kind], bytes] = {}

    def of(form: Form, kind: Kind) -> bytes:
        if (form, kind) not in made:
            made[form, kind] = decoded_tflite(form, kind)
        return made[form, kind]

    return of


def some_image() -> Any:
    return np.random.default_rng(3).integers(0, 256, (*SIZE, 3), np.uint8)


def check(model: Path, form: Form, tolerance: float) -> None:
    """Detections of the core are those of the output as this test decodes it."""
    content, shape, units = CONTENTS[form]
    options = DecoderOptions(confidence=0.3, iou=1.0, cross_class_iou=1.0, max_detections=1000)
    with open_engine(model) as engine:
        (head,) = engine.heads
        assert (head.content, head.units) == (content, units)
        found = Detector(engine, options).detect(some_image())
        (raw,) = engine.run()
        assert raw.shape == shape
        rows = (raw[0].astype(np.float64) - head.zero_point) * head.scale
    rows = rows.T if form == "ultralytics" else rows
    scores = rows[:, -CLASSES:] * (1 if form == "ultralytics" else rows[:, 4:5])
    wh = rows[:, 2:4] * units
    keep = (scores.max(1) >= 0.3) & (wh > 0).all(1)
    xy = rows[:, :2] * units
    boxes = np.clip(np.hstack([xy - wh / 2, xy + wh / 2]), 0, [96, 64, 96, 64])[keep]
    assert keep.sum() == len(found) > 10
    order = np.argsort(-scores.max(1)[keep], kind="stable")
    np.testing.assert_allclose(found.confidence, scores.max(1)[keep][order], atol=tolerance)
    np.testing.assert_allclose(np.sort(found.xyxy, 0), np.sort(boxes, 0), atol=100 * tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("form", CONTENTS)
@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_float_files(make: Make, save: Save, form: Form, kind: Kind) -> None:
    check(save(make(form, kind)), form, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["official", "ultralytics"])
def test_int8_files(make: Make, save: Save, form: Form) -> None:
    model = save(make(form, "int8"))
    check(model, form, 1e-5)
    with open_engine(model) as engine:
        assert engine.heads[0].dtype == "uint8"
        assert engine.input.dtype == np.uint8
        assert engine.metadata.quantization == "int8"


@pytest.mark.slow
def test_pixels_in_one_byte_leave_no_scores(make: Make, save: Save) -> None:
    with pytest.raises(UnsupportedModelError, match="scores of 0 to 1 are lost"):
        open_engine(save(make("onnx2tf", "int8")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"temp_meta.txt": OFFICIAL}, ("car", "person")),
        ({"metadata.json": PACKAGE}, ("car", "person")),
        ({"labels.txt": "car\nperson\n"}, ("car", "person")),
        ({"notes.txt": "car\nperson\n"}, ("class0", "class1")),
        ({}, ("class0", "class1")),
    ],
)
def test_the_file_s_own_names(
    make: Make, save: Save, members: dict[str, str], expected: tuple[str, ...]
) -> None:
    path = save(with_archive(make("official", "float32"), members))
    with open_engine(path) as engine:
        assert engine.metadata.class_names == expected
    with open_engine(path, class_names=("a", "b")) as engine:
        assert engine.metadata.class_names == ("a", "b")
    with pytest.raises(UnsupportedModelError, match="2 classes, --names gives 3"):
        open_engine(path, class_names=("a", "b", "c"))


@pytest.mark.slow
def test_other_tasks_and_sizes(make: Make, save: Save) -> None:
    pose = PACKAGE.replace("detect", "pose")
    path = save(with_archive(make("ultralytics", "float32"), {"metadata.json": pose}))
    with pytest.raises(UnsupportedModelError, match="the task 'pose'"):
        open_engine(path)
    path = save(make("official", "float32"))
    assert not ModelVariant(path, (32, 64)).can_open()
    with pytest.raises(UsageError, match="cannot be resized"):
        open_engine(path, input_size=(32, 64))


# ---- shapes alone ----------------------------------------------------------------------------

IMAGE = Tensor("images", (1, 640, 640, 3), "float32")


@pytest.mark.parametrize(
    ("shape", "content", "layout", "strides", "classes"),
    [
        ((1, 25200, 85), "scored_boxes", "NHWC", (8, 16, 32), 80),
        ((1, 85, 25200), "scored_boxes", "NCHW", (8, 16, 32), 80),
        ((1, 25500, 6), "scored_boxes", "NHWC", (8, 16, 32, 64), 1),
        ((1, 6000, 7), "scored_boxes", "NHWC", (16, 32), 2),
        ((1, 84, 8400), "class_boxes", "NCHW", (8, 16, 32), 80),
        ((1, 8400, 84), "class_boxes", "NHWC", (8, 16, 32), 80),
        ((1, 5, 8400), "class_boxes", "NCHW", (8, 16, 32), 1),
    ],
)
def test_shapes(
    shape: tuple[int, ...], content: str, layout: str, strides: tuple[int, ...], classes: int
) -> None:
    found = recognize([IMAGE], [Tensor("out", shape, "float32")], "m")
    assert (found.head.content, found.head.layout) == (content, layout)
    assert found.metadata.strides == strides
    assert found.metadata.num_classes == classes
    assert not found.units_known


def test_names_decide_whether_there_is_an_objectness() -> None:
    output = Tensor("out", (1, 8400, 85), "float32")
    assert recognize([IMAGE], [output], "m").head.content == "class_boxes"
    names = [f"n{number}" for number in range(80)]
    assert recognize([IMAGE], [output], "m", class_names=names).head.content == "scored_boxes"


def test_masks_of_segmentation_are_dropped() -> None:
    outputs = [
        Tensor("boxes", (1, 25200, 117), "float32"),
        Tensor("protos", (1, 160, 160, 32), "float32"),
    ]
    found = recognize([IMAGE], outputs, "m")
    assert (found.metadata.num_classes, found.head.extra_channels) == (80, 32)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_inputs_of_both_layouts(layout: str) -> None:
    shape = (1, 640, 640, 3) if layout == "NHWC" else (1, 3, 640, 640)
    found = recognize(
        [Tensor("images", shape, "float32")], [Tensor("out", (1, 25200, 85), "float32")], "m"
    )
    assert found.metadata.layout == layout


@pytest.mark.parametrize(
    ("inputs", "shapes", "what"),
    [
        ([IMAGE], [(1, 1000)], "a classifier"),
        ([IMAGE], [(1, 80, 80, 255), (1, 40, 40, 255), (1, 20, 20, 255)], "raw head outputs"),
        ([IMAGE], [(1, 300, 6)], "NMS inside"),
        ([IMAGE], [(1, 100, 4), (1, 100), (1, 100), (1,)], "NMS inside"),
        ([IMAGE], [(1, 25200, 85), (1, 25200, 85)], "2 of its outputs"),
        ([IMAGE], [(1, 1234, 85)], "fit no grid"),
        ([IMAGE], [(1, 25200, 5)], "fit no grid"),
        ([IMAGE], [(1, 2, 3, 4, 5)], "fit no grid"),
        ([IMAGE], [], "without outputs"),
        ([], [(1, 25200, 85)], "0 inputs"),
        ([IMAGE, IMAGE], [(1, 25200, 85)], "2 inputs"),
        ([Tensor("x", (1, 640, 640, 1), "float32")], [(1, 25200, 85)], "not one RGB image"),
        ([Tensor("x", (2, 640, 640, 3), "float32")], [(2, 25200, 85)], "not one RGB image"),
        ([Tensor("x", (3,), "float32")], [(1, 25200, 85)], "not one RGB image"),
        ([Tensor("x", (), "float32")], [(1, 25200, 85)], "not one RGB image"),
    ],
)
def test_other_models_are_named(
    inputs: list[Tensor], shapes: list[tuple[int, ...]], what: str
) -> None:
    outputs = [Tensor(f"o{number}", shape, "float32") for number, shape in enumerate(shapes)]
    with pytest.raises(UnsupportedModelError, match=what) as caught:
        recognize(inputs, outputs, "m")
    assert "tallylens convert" in caught.value.remedy


def test_types_that_hold_no_boxes() -> None:
    for dtype, scale in (("int16", 1.0), ("uint8", 2.5), ("int8", 0.0)):
        with pytest.raises(UnsupportedModelError, match=r"its output is|are lost"):
            recognize([IMAGE], [Tensor("out", (1, 25200, 85), dtype, scale)], "m")
    scaled = Tensor("images", (1, 640, 640, 3), "uint8", 0.02)
    with pytest.raises(ModelError, match="does not take pixel values"):
        recognize([scaled], [Tensor("out", (1, 25200, 85), "float32")], "m")


# ---- untrusted files -------------------------------------------------------------------------


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_mutated_files_give_a_detector_or_a_model_error(make: Make, data: st.DataObject) -> None:
    whole = with_archive(make("official", "int8"), {"metadata.json": PACKAGE})
    content = bytearray(whole[: data.draw(st.integers(8, len(whole)))])
    places = st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)):
        content[place] = value
    with suppress(ModelError):
        read_tflite(bytes(content), "m")


@given(st.binary(max_size=200))
def test_archives_of_any_bytes(content: bytes) -> None:
    words = read_own_words(b"TFL3" + content + b"PK\x05\x06" + content[:18].ljust(18, b"\0"))
    assert words.class_names is None or words.class_names


@pytest.mark.realdata
def test_the_official_exporter_s_int8_file(data: Path) -> None:
    with open_engine(data / "peers" / "yolov5-export-int8.tflite") as engine:
        (head,) = engine.heads
        assert (head.content, head.dtype) == ("scored_boxes", "uint8")
        assert head.units == (640.0, 640.0)
        assert engine.metadata.num_classes == 80
