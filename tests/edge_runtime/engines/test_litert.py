from __future__ import annotations

import gc
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.engines import litert as module
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.errors import MissingExtraError, ModelError
from tests.support.engine_models import METADATA, Save, edit_tflite, with_document

pytestmark = pytest.mark.slow

interpreter = pytest.importorskip("ai_edge_litert.interpreter")


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)


def test_float_heads_are_those_of_the_keras_model(
    save: Save, float_tflite: bytes, keras_model: Any
) -> None:
    with open_engine(save(float_tflite)) as engine:
        assert engine.name == "litert-xnnpack"
        assert engine.input.shape == (1, 64, 96, 3)
        assert engine.input.dtype == np.float32
        for seed in range(2):
            engine.input[...] = image(seed) / np.float32(255)
            heads = engine.run()
            expected = keras_model(image(seed) / np.float32(255))
            for head, reference in zip(heads, expected, strict=True):
                assert np.abs(head - reference.numpy()).max() < 1e-4


def test_int8_heads_are_those_of_the_plain_interpreter(
    save: Save, int8_tflite: bytes, keras_model: Any
) -> None:
    plain = interpreter.Interpreter(model_content=int8_tflite)
    plain.allocate_tensors()
    plain.set_tensor(plain.get_input_details()[0]["index"], image(1))
    plain.invoke()
    expected = {
        tuple(details["shape"]): plain.get_tensor(details["index"])
        for details in plain.get_output_details()
    }
    with open_engine(save(int8_tflite)) as engine:
        assert engine.input.dtype == np.uint8
        engine.input[...] = image(1)
        heads = engine.run()
        floats = keras_model(image(1) / np.float32(255))
        for spec, head, reference in zip(engine.heads, heads, floats, strict=True):
            assert spec.dtype == head.dtype.name == "int8"
            assert np.array_equal(head, expected[head.shape])
            logits = spec.scale * (head.astype(np.float32) - spec.zero_point)
            assert np.abs(logits - reference.numpy()).max() < 3 * spec.scale


def test_heads_are_described_in_the_order_of_the_metadata(
    save: Save,
    float_tflite: bytes,
) -> None:
    with open_engine(save(float_tflite)) as engine:
        assert engine.metadata == METADATA
        assert [(head.name, head.stride, head.width, head.height) for head in engine.heads] == [
            ("head8", 8, 12, 8),
            ("head16", 16, 6, 4),
        ]
        assert [head.anchors for head in engine.heads] == list(METADATA.anchors)
        assert {(head.layout, head.scale, head.zero_point) for head in engine.heads} == {
            ("NHWC", 1.0, 0)
        }


def test_arrays_that_are_held_do_not_stop_the_next_run(save: Save, float_tflite: bytes) -> None:
    with open_engine(save(float_tflite)) as engine:
        target = engine.input
        target[...] = 0.25
        first = engine.run()
        kept = first[0].copy()
        target[...] = 0.75
        second = engine.run()
        assert not np.array_equal(kept, second[0])
        # Not copies: the same memory, written again.
        assert first[0].ctypes.data == second[0].ctypes.data
        assert engine.input.ctypes.data == target.ctypes.data


def test_arrays_outlive_the_engine(save: Save, float_tflite: bytes) -> None:
    engine = open_engine(save(float_tflite))
    engine.input[...] = 0.5
    heads = engine.run()
    expected = [head.copy() for head in heads]
    engine.close()
    del engine
    gc.collect()
    for head, copy in zip(heads, expected, strict=True):
        assert np.array_equal(head, copy)


def test_engines_run_side_by_side(save: Save, float_tflite: bytes, keras_model: Any) -> None:
    path = save(float_tflite)
    found: dict[int, np.ndarray] = {}

    def work(seed: int) -> None:
        with open_engine(path) as engine:
            for _ in range(20):
                engine.input[...] = image(seed) / np.float32(255)
                found[seed] = engine.run()[0].copy()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(3):
        expected = keras_model(image(seed) / np.float32(255))[0].numpy()
        assert np.abs(found[seed] - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"input_size": (64, 64)}, r"the input has shape \(1, 64, 96, 3\)"),
        ({"layout": "NCHW"}, "the input has shape"),
        ({"class_names": ("car",)}, r"head head8 has shape \(1, 8, 12, 21\), by its metadata"),
        ({"strides": (8, 32)}, r"head head16 has shape \(1, 4, 6, 21\)"),
        (
            {"strides": (8,), "anchors": (((1.0, 2.0),),), "head_names": ("head8",)},
            "the number of outputs is 2, by its metadata 1",
        ),
    ],
)
def test_metadata_that_does_not_fit(
    save: Save,
    bare_float: bytes,
    changes: dict[str, Any],
    problem: str,
) -> None:
    document = replace(METADATA, **changes).to_json().encode()
    with pytest.raises(ModelError, match=problem):
        open_engine(save(with_document(bare_float, document)))


def test_an_int8_input_that_is_not_pixels(save: Save, int8_tflite: bytes) -> None:
    def stretch(tree: Any) -> None:
        graph = tree.subgraphs[0]
        graph.tensors[graph.inputs[0]].quantization.scale = np.array([1 / 127], np.float32)

    with pytest.raises(ModelError, match="does not take pixel values as they are"):
        open_engine(save(edit_tflite(int8_tflite, stretch)))


def test_nothing_is_printed(
    save: Save, float_tflite: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    open_engine(save(float_tflite)).close()
    assert capfd.readouterr() == ("", "")


def test_without_an_interpreter(
    save: Save, float_tflite: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MODULES", ("no_such_interpreter",))
    with pytest.raises(MissingExtraError, match="ai-edge-litert"):
        open_engine(save(float_tflite))


def test_it_falls_back_to_tensorflow(
    save: Save, float_tflite: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MODULES", ("none", "tensorflow.lite.python.interpreter"))
    with open_engine(save(float_tflite)) as engine:
        engine.input[...] = 0.5
        held = engine.run()
        assert np.array_equal(held[0], engine.run()[0])
