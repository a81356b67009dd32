"""The core decodes raw head outputs into the detections of the vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.core import Decoder, DecoderOptions
from tallylens.edge_runtime.core.native import ffi
from tallylens.edge_runtime.types import HeadSpec

FOLDER = Path(__file__).parents[3] / "mobile_bindings" / "conformance"
VECTORS = json.loads((FOLDER / "decode.json").read_text(encoding="utf-8"))
CASES = VECTORS["cases"]


def name(case: dict[str, Any]) -> str:
    head = case["head"]
    return f"{head['dtype']}-{head['layout']}-{head.get('reg_max', 0)}-bins"


@pytest.mark.parametrize("case", CASES, ids=map(name, CASES))
def test_heads(case: dict[str, Any]) -> None:
    head = {**case["head"], "anchors": tuple(map(tuple, case["head"]["anchors"]))}
    options = dict(VECTORS["options"])
    classes = options.pop("num_classes")
    decoder = Decoder([HeadSpec(name="head", **head)], classes, DecoderOptions(**options))
    letterbox = struct_of(VECTORS["letterbox"])
    found = decoder.run([np.array(case["values"], head["dtype"])], letterbox)
    expected = np.array(case["detections"])
    assert len(expected) > 3
    assert found.class_id.tolist() == expected[:, 5].astype(int).tolist()
    assert np.abs(found.xyxy - expected[:, :4]).max() < 0.01
    assert np.abs(found.confidence - expected[:, 4]).max() < 1e-4


def struct_of(values: dict[str, float]) -> Any:
    return ffi.new("tally_letterbox *", values)


def test_both_kinds_of_heads_have_every_dtype_and_layout() -> None:
    assert len({name(case) for case in CASES}) == len(CASES) == 2 * 4 * 2
