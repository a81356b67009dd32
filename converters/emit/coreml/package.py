"""The files of an .mlpackage, by their paths inside it, with nothing in them that changes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from ....edge_runtime.metadata import METADATA_KEY, ModelMetadata
from ....edge_runtime.version import __version__

DATA = "Data"
MODEL = "com.apple.CoreML/model.mlmodel"
WEIGHTS_FOLDER = "com.apple.CoreML/weights"
WEIGHTS = f"{WEIGHTS_FOLDER}/weight.bin"
MANIFEST = "Manifest.json"

_AUTHOR = "com.apple.CoreML"
# Items need ids that differ within one package; these name the two items of every package.
_MODEL_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, MODEL))
_WEIGHTS_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, WEIGHTS_FOLDER))


def pack(spec: Any, weights: bytes, metadata: ModelMetadata) -> dict[str, bytes]:
    """`spec` (coremltools' Model message) with its description, its weights and the manifest."""
    _describe(spec, metadata)
    return {
        MANIFEST: json.dumps(_manifest(), indent=4).encode(),
        f"{DATA}/{MODEL}": spec.SerializeToString(deterministic=True),
        f"{DATA}/{WEIGHTS}": weights,
    }


def _describe(spec: Any, metadata: ModelMetadata) -> None:
    about = spec.description.metadata
    about.Clear()
    height, width = metadata.input_size
    about.shortDescription = (
        f"YOLOv5 detector of {metadata.num_classes} classes, {width}x{height} pixels"
    )
    about.versionString = f"tallylens {__version__}"
    about.license = metadata.weights_license
    about.userDefined[METADATA_KEY] = metadata.to_json()
    about.userDefined["classes"] = ",".join(metadata.class_names)


def _manifest() -> Mapping[str, Any]:
    items = {
        _MODEL_ID: ("CoreML Model Specification", "model.mlmodel", MODEL),
        _WEIGHTS_ID: ("CoreML Model Weights", "weights", WEIGHTS_FOLDER),
    }
    return {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": {
            identity: {"author": _AUTHOR, "description": what, "name": name, "path": path}
            for identity, (what, name, path) in items.items()
        },
        "rootModelIdentifier": _MODEL_ID,
    }
