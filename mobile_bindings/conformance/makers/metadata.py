"""metadata.json: documents of model files, and the values in them or that they are refused.

Values are written down here by hand.
"""

from __future__ import annotations

import json
from typing import Any

SOUND: dict[str, Any] = {
    "format_version": 1,
    "class_names": ["car", "person"],
    "input_size": [64, 96],
    "strides": [8, 16],
    "anchors": [[[10.0, 13.0], [16.0, 30.0]], [[30.5, 61], [62, 45]]],
    "head_names": ["head8", "head16"],
    "layout": "NHWC",
    "colour_order": "RGB",
    "quantization": "int8",
    "source_name": "tiny.pt",
    "source_sha256": "0" * 64,
    "weights_licence": "",
    "passes": [{"name": "prune", "effect": {"share": 0.5, "layers": 3, "how": "channels"}}],
}
# Heads whose box sides are distributions, as those of YOLOv8.
DISTRIBUTIONS: dict[str, Any] = {
    **SOUND, "format_version": 2, "anchors": [[], []], "reg_max": 16,
}  # fmt: skip
CHANGES: dict[str, dict[str, Any]] = {
    "another format version": {"format_version": 2},
    "a later format version": {"format_version": 3},
    "a format version that is true": {"format_version": True},
    "no classes": {"class_names": []},
    "a class that is a number": {"class_names": ["car", 7]},
    "a class name of 201 letters": {"class_names": ["a" * 201]},
    "three strides for two heads": {"strides": [8, 16, 32]},
    "a stride of 0": {"strides": [0, 16]},
    "an input between two multiples of the stride": {"input_size": [64, 100]},
    "an input of three sides": {"input_size": [64, 96, 3]},
    "an input side that is true": {"input_size": [True, 96]},
    "an anchor of 0": {"anchors": [[[10, 13]], [[0, 61]]]},
    "an anchor with one side": {"anchors": [[[10]], [[30, 61]]]},
    "another layout": {"layout": "CHWN"},
    "another color order": {"colour_order": "BGR"},
    "another quantization": {"quantization": "int4"},
    "a hash that is too long": {"source_sha256": "0" * 65},
    "a pass without an effect": {"passes": [{"name": "prune"}]},
}
DISTRIBUTION_CHANGES: dict[str, dict[str, Any]] = {
    "anchors beside distributions": {"anchors": SOUND["anchors"]},
    "anchors of one head beside distributions": {"anchors": [[], [[30, 61]]]},
    "one bin": {"reg_max": 1},
    "65 bins": {"reg_max": 65},
    "bins that are true": {"reg_max": True},
    "bins as text": {"reg_max": "16"},
    "half a bin": {"reg_max": 16.5},
    "distributions of format version 1": {"format_version": 1},
    "distributions for three heads": {"anchors": [[], [], []]},
}


def cases() -> list[dict[str, Any]]:
    """Each with the document as text, and the values expected; null if it is refused."""
    wide = {**SOUND, "layout": "NCHW", "quantization": "none", "class_names": ["größer", "犬"]}
    found = [
        {"name": "sound", "document": json.dumps(SOUND), "expected": SOUND},
        {"name": "letters of other scripts", "document": json.dumps(wide), "expected": wide},
        {
            "name": "a field of a later version is ignored",
            "document": json.dumps({**SOUND, "later": [1]}),
            "expected": SOUND,
        },
        {
            "name": "distributions",
            "document": json.dumps(DISTRIBUTIONS),
            "expected": DISTRIBUTIONS,
        },
        {
            "name": "distributions over 64 bins",
            "document": json.dumps({**DISTRIBUTIONS, "reg_max": 64}),
            "expected": {**DISTRIBUTIONS, "reg_max": 64},
        },
        {
            "name": "bins are not read in format version 1",
            "document": json.dumps({**SOUND, "reg_max": 16}),
            "expected": SOUND,
        },
    ]
    documents = {name: json.dumps({**SOUND, **change}) for name, change in CHANGES.items()}
    for name, change in DISTRIBUTION_CHANGES.items():
        documents[name] = json.dumps({**DISTRIBUTIONS, **change})
    for key in SOUND:
        left = {name: value for name, value in SOUND.items() if name != key}
        documents[f"without {key}"] = json.dumps(left)
    bins = {name: value for name, value in DISTRIBUTIONS.items() if name != "reg_max"}
    documents["without reg_max"] = json.dumps(bins)
    documents |= {"empty": "", "a list": "[]", "cut": json.dumps(SOUND)[:-1], "no JSON": "{a: 1}"}
    found += [{"name": n, "document": d, "expected": None} for n, d in documents.items()]
    return found


def text() -> str:
    """The file, one case on each line."""
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in cases())
    return f'{{"version": 1, "cases": [\n{lines}\n]}}\n'
