"""Packages that are damaged, adversarial, or of another origin end in one of our errors."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallylens.converters.coreml_program.engine import CoreMLEngine
from tallylens.converters.coreml_program.evaluator import evaluate_program
from tallylens.converters.coreml_program.package import is_package, read_package
from tallylens.converters.coreml_program.weights import WeightError, WeightFile
from tallylens.edge_runtime.errors import ModelError, TallyLensError, UnsupportedModelError

pytestmark = pytest.mark.slow

Files = Mapping[str, bytes]
Write = Callable[..., Path]
MODEL = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
PICTURE = np.zeros((16, 32, 3), np.uint8)


def edited(files: Files, change: Callable[[Any], None]) -> Files:
    """The files with another model message."""
    from coreml_messages import Model  # type: ignore[import-not-found]

    spec = Model.FromString(files[MODEL])
    change(spec)
    return {**files, MODEL: spec.SerializeToString()}


@pytest.fixture(autouse=True)
def messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """coremltools' messages, imported as quietly as the package does it."""
    import sys
    from types import SimpleNamespace

    from tallylens.converters.coreml_program.coremltools import quiet_coremltools

    with quiet_coremltools():
        from coremltools.proto import Model_pb2
    monkeypatch.setitem(sys.modules, "coreml_messages", SimpleNamespace(Model=Model_pb2.Model))


def block(spec: Any) -> Any:
    return spec.mlProgram.functions["main"].block_specializations["CoreML6"]


def test_reads_what_was_written(files: Files, write: Write) -> None:
    package = read_package(write(files))
    assert is_package(Path(package.path))
    assert package.metadata.class_names == ("car",)
    assert package.metadata.quantization == "fp16"
    assert not package.is_pipeline


@pytest.mark.parametrize("missing", ["Manifest.json", MODEL])
def test_a_missing_file(files: Files, write: Write, missing: str) -> None:
    package = write({name: content for name, content in files.items() if name != missing})
    with pytest.raises(ModelError, match="cannot be read"):
        read_package(package)


def test_missing_weights_are_said_so(files: Files, write: Write) -> None:
    package = write({name: content for name, content in files.items() if name != WEIGHTS})
    with pytest.raises(ModelError, match="the weight file is missing or not of version 2"):
        evaluate_program(package)


@pytest.mark.parametrize(
    "path", ["../../secret", "/etc/passwd", "a/../../b", None, 7, "com.apple.CoreML/\0"]
)
def test_a_manifest_that_leads_elsewhere(files: Files, write: Write, path: object) -> None:
    manifest = json.loads(files["Manifest.json"])
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = path
    package = write({**files, "Manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(ModelError, match="does not name a model inside the package"):
        read_package(package)


def test_a_link_that_leads_elsewhere(files: Files, write: Write, tmp_path: Path) -> None:
    package = write(files)
    (tmp_path / "secret").write_bytes(files[MODEL])
    (package / MODEL).unlink()
    (package / MODEL).symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match="lies outside the package"):
        read_package(package)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"[" * 100_000, b'{"itemInfoEntries": 1}'])
def test_a_damaged_manifest(files: Files, write: Write, text: bytes) -> None:
    with pytest.raises(ModelError):
        read_package(write({**files, "Manifest.json": text}))


def test_a_package_of_another_origin(files: Files, write: Write) -> None:
    foreign = edited(files, lambda spec: spec.description.metadata.Clear())
    with pytest.raises(UnsupportedModelError, match="a Core ML package that tallylens did not"):
        read_package(write(foreign))


def test_another_kind_of_model(files: Files, write: Write) -> None:
    other = edited(files, lambda spec: spec.neuralNetwork.SetInParent())
    with pytest.raises(UnsupportedModelError, match="a Core ML neuralNetwork, not an ML program"):
        read_package(write(other))


def test_unknown_ops_are_listed_together(files: Files, write: Write) -> None:
    def rename(spec: Any) -> None:
        for op in block(spec).operations:
            op.type = {"conv": "gather", "mul": "einsum"}.get(op.type, op.type)

    with pytest.raises(UnsupportedModelError, match="not known here: einsum, gather"):
        evaluate_program(write(edited(files, rename)))


def set_rank(spec: Any) -> None:
    kind = block(spec).operations[-1].outputs[0].type.tensorType
    kind.dimensions.extend([kind.dimensions[0]] * 3)


def set_size(spec: Any) -> None:
    kind = block(spec).operations[-1].outputs[0].type.tensorType
    kind.dimensions[1].constant.size = 1 << 40


def set_offset(spec: Any) -> None:
    for op in block(spec).operations:
        value = op.attributes.get("val")
        if value is not None and value.WhichOneof("value") == "blobFileValue":
            value.blobFileValue.offset = 1 << 60


@pytest.mark.parametrize("damage", [set_rank, set_size, set_offset])
def test_a_damaged_program(files: Files, write: Write, damage: Callable[[Any], None]) -> None:
    with pytest.raises(ModelError, match="its program is damaged"):
        evaluate_program(write(edited(files, damage)))


def test_a_result_of_another_shape(files: Files, write: Write) -> None:
    def widen(spec: Any) -> None:
        (conv,) = (op for op in block(spec).operations if op.type == "conv")
        conv.outputs[0].type.tensorType.dimensions[2].constant.size = 5

    detect = evaluate_program(write(edited(files, widen)))
    with pytest.raises(ModelError, match=r"gives \(1, 6, 8, 16\), it declares \(1, 6, 5, 16\)"):
        detect(PICTURE)


def test_a_picture_of_another_size(files: Files, write: Write) -> None:
    with pytest.raises(ModelError, match=r"it takes \(1, 3, 16, 32\), not \(1, 3, 16, 16\)"):
        evaluate_program(write(files))(PICTURE[:, :16])


def test_boxes_are_no_heads(boxes: Files, write: Write) -> None:
    with pytest.raises(UnsupportedModelError, match="without raw head outputs"):
        CoreMLEngine(write(boxes))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from([MODEL, WEIGHTS]),
    place=st.floats(0, 1, exclude_max=True),
    value=st.integers(0, 255),
    cut=st.booleans(),
)
def test_mutations_end_in_heads_or_in_our_errors(
    files: Files, write: Write, name: str, place: float, value: int, cut: bool
) -> None:
    content = bytearray(files[name])
    position = int(place * len(content))
    content[position] = value
    changed = bytes(content[: position + 1] if cut else content)
    package = write({**files, name: changed})
    try:
        heads = evaluate_program(package)(PICTURE)
    except TallyLensError:
        return
    assert [head.ndim for head in heads] == [4]


def weight_file(
    kind: int = 2, size: int = 8, start: int = 128, sentinel: int = 0xDEADBEEF
) -> bytes:
    header = struct.pack("<II", 1, 2).ljust(64, b"\0")
    entry = struct.pack("<IIQQ", sentinel, kind, size, start).ljust(64, b"\0")
    return header + entry + np.array([1.5, -2], "<f4").tobytes()


def test_weights_are_read_where_they_are() -> None:
    read = WeightFile(weight_file()).read(64, np.dtype("float32"), 2)
    assert read.tolist() == [1.5, -2]


@pytest.mark.parametrize(
    ("content", "offset", "count"),
    [
        (b"", 64, 2),
        (weight_file(), 0, 2),
        (weight_file(), 1 << 40, 2),
        (weight_file(), -8, 2),
        (weight_file(), 64, 3),
        (weight_file(kind=3), 64, 2),
        (weight_file(size=1 << 60), 64, 1 << 58),
        (weight_file(start=1 << 60), 64, 2),
        (weight_file(sentinel=1), 64, 2),
    ],
)
def test_hostile_weight_files(content: bytes, offset: int, count: int) -> None:
    with pytest.raises(WeightError):
        WeightFile(content).read(offset, np.dtype("float32"), count)
