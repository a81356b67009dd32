"""The files of an .mlpackage, bounded before they are parsed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...edge_runtime.errors import ModelError, UnsupportedModelError
from ...edge_runtime.metadata import METADATA_KEY, ModelMetadata
from .coremltools import quiet_coremltools

MAX_MANIFEST_BYTES = 1 << 20
MAX_SPEC_BYTES = 64 << 20
MAX_WEIGHTS_BYTES = 1 << 30
MANIFEST = "Manifest.json"
WEIGHTS = "weight.bin"
AGAIN = "Convert the original checkpoint again with tallylens convert"


@dataclass(frozen=True)
class Package:
    """Contents of a package: the detector's ML program, its weight file and its metadata.

    `detector` is coremltools' Model message of the ML program, also where a pipeline holds it.
    """

    path: str
    metadata: ModelMetadata
    detector: Any
    weights: bytes
    is_pipeline: bool


def is_package(path: Path) -> bool:
    """Whether the path is a folder that looks like an .mlpackage."""
    return path.is_dir() and (path / MANIFEST).is_file()


def read_package(path: Path) -> Package:
    """Read a package that tallylens wrote.

    Raises:
        ModelError: missing, damaged, or too large.
        UnsupportedModelError: a package of another origin or kind.
        MissingExtraError: coremltools is not installed.
    """
    manifest = _manifest(path)
    root = _item(path, manifest, str(manifest.get("rootModelIdentifier")))
    content = _bytes(root, path, MAX_SPEC_BYTES)
    weights = root.parent / "weights" / WEIGHTS
    _inside(weights, path)
    spec = _parse(content, path)
    text = spec.description.metadata.userDefined.get(METADATA_KEY)
    if not text:
        raise UnsupportedModelError(
            path,
            "a Core ML package that tallylens did not write",
            "Convert its checkpoint with tallylens convert --to coreml",
        )
    detector = _detector(spec, path)
    return Package(
        path=str(path),
        metadata=ModelMetadata.from_json(text, str(path)),
        detector=detector,
        weights=_bytes(weights, path, MAX_WEIGHTS_BYTES) if weights.exists() else b"",
        is_pipeline=detector is not spec,
    )


def _manifest(path: Path) -> Mapping[str, Any]:
    try:
        manifest = json.loads(_bytes(path / MANIFEST, path, MAX_MANIFEST_BYTES))
    except (ValueError, RecursionError) as error:
        raise ModelError(path, f"its {MANIFEST} is damaged", AGAIN) from error
    if not isinstance(manifest, dict):
        raise ModelError(path, f"its {MANIFEST} is damaged", AGAIN)
    return manifest


def _item(path: Path, manifest: Mapping[str, Any], identity: str) -> Path:
    entries = manifest.get("itemInfoEntries")
    entry = entries.get(identity) if isinstance(entries, dict) else None
    name = entry.get("path") if isinstance(entry, dict) else None
    relative = PurePosixPath(name) if isinstance(name, str) else PurePosixPath("..")
    if relative.is_absolute() or ".." in relative.parts or "\0" in str(relative):
        raise ModelError(path, f"its {MANIFEST} does not name a model inside the package", AGAIN)
    found = path / "Data" / relative
    _inside(found, path)
    return found


def _inside(file: Path, path: Path) -> None:
    """Refuse a link that leads out of the package."""
    if not file.resolve().is_relative_to(path.resolve()):
        raise ModelError(path, f"its {file.name} lies outside the package", AGAIN)


def _bytes(file: Path, path: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(limit + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise ModelError(path, f"its {file.name} cannot be read ({reason})", AGAIN) from error
    if len(content) > limit:
        raise ModelError(path, f"its {file.name} is larger than {limit >> 20} MiB", AGAIN)
    return content


def _parse(content: bytes, path: Path) -> Any:
    with quiet_coremltools():
        from coremltools.proto import Model_pb2
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    try:
        return Model_pb2.Model.FromString(content)
    except (DecodeError, RecursionError) as error:
        raise ModelError(path, "its model is not a Core ML message", AGAIN) from error


def _detector(spec: Any, path: Path) -> Any:
    """The ML program itself, or the first model of a pipeline."""
    kind = spec.WhichOneof("Type")
    if kind == "pipeline" and spec.pipeline.models:
        spec = spec.pipeline.models[0]
        kind = spec.WhichOneof("Type")
    if kind != "mlProgram":
        raise UnsupportedModelError(path, f"a Core ML {kind or 'file'}, not an ML program", AGAIN)
    return spec
