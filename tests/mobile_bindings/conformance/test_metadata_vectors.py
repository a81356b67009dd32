"""The reader of metadata documents finds what the vectors say, and refuses the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tallylens.edge_runtime.errors import ModelError
from tallylens.edge_runtime.metadata import ModelMetadata

FOLDER = Path(__file__).parents[3] / "mobile_bindings" / "conformance"
CASES = json.loads((FOLDER / "metadata.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_document(case: dict[str, Any]) -> None:
    document = case["document"].encode()
    if case["expected"] is None:
        with pytest.raises(ModelError):
            ModelMetadata.from_json(document, "m")
    else:
        found = ModelMetadata.from_json(document, "m")
        assert json.loads(found.to_json()) == case["expected"]
