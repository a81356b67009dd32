"""Every kind of source file: the two that load, and the messages for all others."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tallylens.converters.load import load
from tallylens.edge_runtime.errors import ModelError, UnsupportedModelError, UsageError

CANONICAL = {"Add", "Concat", "Conv", "LeakyRelu", "MaxPool", "Mul", "Resize", "Sigmoid"}


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    [
        "checkpoints/v7-tiny-3class.pt",
        "checkpoints/p6-tiny-4class.pt",
        "checkpoints/leaky-tiny-2class.pt",
        "checkpoints/v5-focus-spp-tiny.pt",
        "models/yolov5n.pt",
        "models/yolov5n-export-opset17.onnx",
    ],
)
def test_sources_become_canonical_graphs(data: Path, name: str) -> None:
    graph = load(data / name, input_size=(128, 192), batch=None)
    assert {node.op_type for node in graph.model.graph} <= CANONICAL
    assert [value.name for value in graph.model.graph.inputs] == ["images"]
    assert [value.name for value in graph.model.graph.outputs] == list(graph.metadata.head_names)
    assert graph.metadata.input_size == (128, 192)
    for output, stride in zip(graph.model.graph.outputs, graph.metadata.strides, strict=True):
        assert output.shape is not None
        assert list(output.shape[2:]) == [128 // stride, 192 // stride]


@pytest.mark.realdata
def test_the_content_decides_and_not_the_name(data: Path, tmp_path: Path) -> None:
    disguised = tmp_path / "model.onnx"
    disguised.write_bytes((data / "checkpoints" / "leaky-tiny-2class.pt").read_bytes())
    assert load(disguised).metadata.num_classes == 2


@pytest.mark.realdata
def test_a_converted_file_is_no_source(data: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="a TFLite model, which conversion ends in"):
        load(data / "peers" / "yolov5-export-int8.tflite")


FOREIGN = {
    "legacy": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "as PyTorch wrote before 1.6"),
    "pickle": (b"\x80\x04N.", "as PyTorch wrote before 1.6"),
    "safetensors": (struct.pack("<Q", 40) + b'{"weight":{}}', "a safetensors file"),
    "engine": (b"ftrt" + bytes(60), "a TensorRT engine"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "a Keras or HDF5 file"),
    "video": (b"\0\0\0\x18ftypmp42", "a video"),
    "picture": (b"\x89PNG\r\n\x1a\n", "an image"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_named(tmp_path: Path, kind: str) -> None:
    content, message = FOREIGN[kind]
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        load(path)
    assert caught.value.exit_status == 3
    assert caught.value.path == str(path)


@pytest.mark.parametrize("content", [b"hello", b"\0" * 100, bytes(range(255, 0, -1))])
def test_other_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}: not a model file that tallylens knows. "
        "Give a YOLOv5 checkpoint (.pt) or an .onnx file exported from one."
    )


def test_empty_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(ModelError, match="there is no such file"):
        load(path)
    path.touch()
    with pytest.raises(ModelError, match="the file is empty"):
        load(path)
    with pytest.raises(ModelError):
        load("a\0b")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "this is a folder"),
        ("yolov5n.mlpackage", "a Core ML package, which conversion ends in"),
        ("yolov5n_saved_model", "a TensorFlow SavedModel"),
    ],
)
def test_folders(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UnsupportedModelError, match=message):
        load(tmp_path / name)


@pytest.mark.realdata
def test_impossible_batches_and_sizes(data: Path) -> None:
    path = data / "models" / "yolov5n.pt"
    with pytest.raises(UsageError, match="a batch of 0 images"):
        load(path, batch=0)
    with pytest.raises(UsageError) as caught:
        load(path, input_size=(360, 640))
    assert str(caught.value) == (
        "the model cannot take images of 360x640. Give a height and width that are multiples "
        "of 32 and at most 8192, such as 352x640."
    )
