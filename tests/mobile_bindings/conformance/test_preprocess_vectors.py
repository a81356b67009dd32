"""The core's engine inputs are those of the vectors."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tallylens.edge_runtime.core.native import DTYPES, LAYOUTS, Handle, ffi, lib, struct
from tallylens.edge_runtime.errors import CoreError

FOLDER = Path(__file__).parents[3] / "mobile_bindings" / "conformance"
CASES = json.loads((FOLDER / "preprocess.json").read_text(encoding="utf-8"))["cases"]
FILL = 77  # of the buffer before
RANGES = {"video": lib.TALLY_VIDEO_RANGE, "full": lib.TALLY_FULL_RANGE}
MATRICES = {"BT.601": lib.TALLY_BT601, "BT.709": lib.TALLY_BT709}
CHANNELS = {"RGB": lib.TALLY_CHANNELS_RGB, "BGRA": lib.TALLY_CHANNELS_BGRA}


def image_of(case: dict[str, Any], buffers: list[npt.NDArray[np.uint8]]) -> Any:
    told = case["image"]
    return struct(
        "image",
        format=getattr(lib, f"TALLY_{told['format']}"),
        yuv_range=RANGES[told["range"]],
        yuv_matrix=MATRICES[told["matrix"]],
        strides=told["strides"],
        planes=[
            ffi.cast("uint8_t *", buffers[buffer].ctypes.data + offset)
            for buffer, offset in told["planes"]
        ],
        plane_bytes=[len(buffers[buffer]) - offset for buffer, offset in told["planes"]],
        **{name: told[name] for name in ("width", "height", "rotation", "chroma_step")},
    )


def run(case: dict[str, Any]) -> tuple[npt.NDArray[Any], Any]:
    """The rows of the input with what is between them, and the letterbox."""
    told = case["tensor"]
    dtype = np.dtype(told["dtype"])
    per_row = told["width"] * (1 if told["layout"] == "NCHW" else len(told["channels"]))
    rows = told["height"] * (3 if told["layout"] == "NCHW" else 1)
    row_bytes = told["row_bytes"] or per_row * dtype.itemsize
    memory = np.full(rows * row_bytes, FILL, np.uint8)
    buffers = [np.frombuffer(base64.b64decode(text), np.uint8) for text in case["buffers"]]
    tensor = struct(
        "tensor",
        dtype=DTYPES[dtype],
        layout=LAYOUTS[told["layout"]],
        channels=CHANNELS[told["channels"]],
        data=ffi.cast("void *", memory.ctypes.data),
        bytes=memory.nbytes,
        **{name: told[name] for name in ("width", "height", "row_bytes")},
    )
    letterbox = ffi.new("tally_letterbox *")
    handle = Handle("preprocessor")
    handle.call(lib.tally_preprocessor_run, image_of(case, buffers), tensor, letterbox)
    table = memory.reshape(rows, row_bytes)
    assert (table[:, per_row * dtype.itemsize :] == FILL).all()
    return table[:, : per_row * dtype.itemsize].copy().view(dtype), letterbox


def as_bytes(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Elements of any dtype as 0 to 255."""
    if values.dtype == np.float32:
        rounded: npt.NDArray[np.int64] = np.rint(values * 255).astype(np.int64)
        return rounded
    whole: npt.NDArray[np.int64] = values.astype(np.int64)
    return whole + 128 if values.dtype == np.int8 else whole


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    if case["expected"] is None:
        with pytest.raises(CoreError) as caught:
            run(case)
        assert caught.value.status == lib.TALLY_INVALID_ARGUMENT
        return
    values, letterbox = run(case)
    expected = np.frombuffer(base64.b64decode(case["expected"]), np.uint8).astype(np.int64)
    assert np.abs(as_bytes(values).reshape(-1) - expected).max() <= case["within"]
    for name, value in case["letterbox"].items():
        assert getattr(letterbox, name) == pytest.approx(value, rel=1e-6), name


def test_the_cases_reach_every_form() -> None:
    images, tensors = [case["image"] for case in CASES], [case["tensor"] for case in CASES]
    forms = {"BGR", "RGB", "BGRA", "RGBA", "NV12", "NV21", "I420"}
    turned = {(image["format"], image["rotation"]) for image in images}
    assert {(form, turn) for form in forms for turn in (0, 90, 180, 270)} <= turned
    assert {(image["range"], image["matrix"]) for image in images} == {
        (span, matrix) for span in RANGES for matrix in MATRICES
    }
    assert {image["chroma_step"] for image in images} >= {0, 1, 2, 3, 16}
    assert {(one["dtype"], one["layout"]) for one in tensors} == {
        (dtype, layout) for dtype in ("uint8", "int8", "float32") for layout in LAYOUTS
    }
    assert {one["channels"] for one in tensors} == set(CHANNELS)
    assert sum(case["expected"] is None for case in CASES) >= 8
