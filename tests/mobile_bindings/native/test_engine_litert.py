"""The engine of phones gives what Python's LiteRT engine gives, and refuses with a sentence."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tallylens.edge_runtime.engines.litert import LiteRTEngine

REPOSITORY = Path(__file__).resolve().parents[3]
NATIVE = REPOSITORY / "mobile_bindings" / "native"
CORE = REPOSITORY / "edge_runtime" / "core"
MODEL = REPOSITORY / "sdk" / "built_in" / "tallylens-demo-int8.tflite"
DTYPES: dict[int, type[np.generic]] = {0: np.uint8, 1: np.int8, 2: np.float32}
CPU, GPU, NPU = 0, 1, 2
INVALID_ARGUMENT, UNSUPPORTED_SIZE, MISSING, UNSUPPORTED, BAD_MODEL = 1, 7, 100, 101, 102

pytestmark = pytest.mark.slow


class Options(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("accelerator", ctypes.c_int32),
        ("num_threads", ctypes.c_int32),
        ("input_width", ctypes.c_int32),
        ("input_height", ctypes.c_int32),
        ("borrow_model", ctypes.c_int32),
        ("library", ctypes.c_char_p),
    )


class Input(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("dtype", ctypes.c_int32),
        ("layout", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("data", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
    )


class Output(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_uint32),
        ("dtype", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("dimensions", ctypes.c_int32 * 8),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The engine and the core as a shared library, without optimization."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    path = tmp_path_factory.mktemp("native") / "libtally_engine.so"
    sources = [*NATIVE.glob("*.cpp"), *(CORE / "src").glob("*.cpp")]
    includes = [NATIVE / "include", NATIVE, CORE / "include", CORE / "src"]
    command = [
        compiler,
        "-std=c++17",
        "-shared",
        "-fPIC",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        path,
    ]
    command += [*(f"-I{folder}" for folder in includes), *sources, "-ldl"]
    subprocess.run([str(part) for part in command], check=True)
    loaded = ctypes.CDLL(str(path))
    for name in ("error", "name", "warning", "status_text"):
        getattr(loaded, f"tally_engine_{name}").restype = ctypes.c_char_p
    return loaded


def litert() -> bytes:
    """Path of the LiteRT library that is installed."""
    spec = importlib.util.find_spec("ai_edge_litert")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("ai-edge-litert is not installed")
    return str(Path(spec.submodule_search_locations[0]) / "libLiteRt.so").encode()


def open_engine(engines: Any, model: bytes, **changes: Any) -> tuple[int, Any, str]:
    """Status, handle and error of opening `model`."""
    options = Options(struct_size=ctypes.sizeof(Options))
    assert engines.tally_engine_defaults(ctypes.byref(options)) == 0
    options.library = litert()
    for field, value in changes.items():
        setattr(options, field, value)
    handle, error = ctypes.c_void_p(), ctypes.create_string_buffer(400)
    status = engines.tally_engine_open(
        model, len(model), ctypes.byref(options), ctypes.byref(handle), error, len(error)
    )
    return status, handle, error.value.decode()


@contextmanager
def engine(library: Any, model: bytes, **changes: Any) -> Iterator[Any]:
    status, handle, error = open_engine(library, model, **changes)
    assert status == 0, error
    try:
        yield handle
    finally:
        library.tally_engine_destroy(handle)


def input_view(library: Any, handle: Any) -> npt.NDArray[Any]:
    found = Input(struct_size=ctypes.sizeof(Input))
    assert library.tally_engine_input(handle, ctypes.byref(found), None, None) == 0
    memory = (ctypes.c_uint8 * found.bytes).from_address(found.data)
    shape = (1, found.height, found.width, 3)
    return np.frombuffer(memory, DTYPES[found.dtype]).reshape(shape)


def outputs(library: Any, handle: Any) -> dict[str, npt.NDArray[Any]]:
    found = {}
    for index in range(library.tally_engine_num_outputs(handle)):
        out = Output(struct_size=ctypes.sizeof(Output))
        assert library.tally_engine_get_output(handle, index, ctypes.byref(out)) == 0
        memory = (ctypes.c_uint8 * out.bytes).from_address(out.data)
        shape = tuple(out.dimensions[: out.rank])
        found[out.name.decode()] = np.frombuffer(memory, DTYPES[out.dtype]).reshape(shape).copy()
    return found


def test_outputs_are_those_of_python(library: Any) -> None:
    model = MODEL.read_bytes()
    with engine(library, model) as ours, LiteRTEngine(model, MODEL) as theirs:
        pixels = np.random.default_rng(1).integers(0, 256, theirs.input.shape, np.uint8)
        theirs.input[:] = pixels
        input_view(library, ours)[:] = pixels
        assert library.tally_engine_run(ours) == 0
        found = outputs(library, ours)
        for head, raw in zip(theirs.heads, theirs.run(), strict=True):
            np.testing.assert_array_equal(found[head.name], raw)
        assert library.tally_engine_name(ours) == b"litert-xnnpack"
        assert library.tally_engine_warning(ours) is None


def test_the_input_buffer_stays_where_it_is(library: Any) -> None:
    with engine(library, MODEL.read_bytes()) as ours:
        first = input_view(library, ours).ctypes.data
        assert library.tally_engine_run(ours) == 0
        assert input_view(library, ours).ctypes.data == first


@pytest.mark.parametrize(("accelerator", "word"), [(GPU, "GPU"), (NPU, "NPU")])
def test_a_processor_that_is_not_there_is_told(library: Any, accelerator: int, word: str) -> None:
    with engine(library, MODEL.read_bytes(), accelerator=accelerator) as ours:
        assert library.tally_engine_name(ours) == b"litert-xnnpack"
        assert library.tally_engine_warning(ours).decode() == (
            f"the {word} was asked for, but LiteRT has found none that it can use; "
            "the model runs on the CPU"
        )


REFUSED = [
    (b"x" * 100, {}, BAD_MODEL, "LiteRT cannot read the model"),
    (b"", {}, INVALID_ARGUMENT, "the model or its destination is missing"),
    (b"x", {"num_threads": 0}, INVALID_ARGUMENT, "num_threads is 0; use 1 to 64"),
    (b"x", {"accelerator": 3}, INVALID_ARGUMENT, "accelerator is 3; use 0 (CPU), 1 (GPU)"),
    (b"x", {"input_width": 64}, INVALID_ARGUMENT, "give both or none"),
    (b"x", {"struct_size": 4000}, UNSUPPORTED_SIZE, "struct_size"),
    (b"x", {"library": b"/no/libLiteRt.so"}, MISSING, "LiteRT cannot be loaded (/no/libLiteRt.so"),
    (b"x", {"library": b"libm.so.6"}, UNSUPPORTED, "use LiteRT 2.1.3 to 2.3"),
]


@pytest.mark.parametrize(("model", "changes", "status", "sentence"), REFUSED)
def test_refusals(
    library: Any, model: bytes, changes: dict[str, Any], status: int, sentence: str
) -> None:
    refused, _, error = open_engine(library, model, **changes)
    assert refused == status
    assert sentence in error


def test_many_opens_and_closes(library: Any) -> None:
    model = MODEL.read_bytes()
    for _ in range(60):
        with engine(library, model):
            pass
