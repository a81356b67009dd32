"""The result of a conversion, as objects and as NAME.conversion.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..edge_runtime.metadata import ModelMetadata, Quantization
from .budget.front import Front
from .emit import Content, Target
from .evaluation.verify import Verification


@dataclass(frozen=True)
class Artifact:
    """One file written: `quantization` is what is really in it, `sha256` of its bytes.

    A Core ML package is a folder: the hash is of its files one after the other, sorted by path.
    `check` is None where nothing was verified.
    """

    path: Path
    target: Target
    quantization: Quantization
    size_bytes: int
    sha256: str
    check: Verification | None = None


@dataclass(frozen=True)
class EmittedFile:
    """The content of an artifact before it is written; `quantization` is what is really in it."""

    path: Path
    target: Target
    quantization: Quantization
    content: Content

    def artifact(self, check: Verification | None) -> Artifact:
        """The record of this file for the report."""
        files = self.content
        whole = files if isinstance(files, bytes) else b"".join(files[n] for n in sorted(files))
        digest = hashlib.sha256(whole).hexdigest()
        return Artifact(self.path, self.target, self.quantization, len(whole), digest, check)


@dataclass(frozen=True)
class ConversionReport:
    """The result of one conversion of `source`; `metadata` is common to all artifacts.

    `multiply_adds`: MACs of all convolutions for one image; `source_multiply_adds` before pruning.
    `sensitivity`: by value name, root mean square change of the logits when this value alone is
    rounded; empty unless requested. `front`: the candidates of a budget.
    """

    source: Path
    name: str
    report: Path
    artifacts: tuple[Artifact, ...]
    metadata: ModelMetadata
    multiply_adds: int
    source_multiply_adds: int
    sensitivity: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    front: Front | None = None

    def path_of(self, target: Target) -> Path:
        """The file written for `target`."""
        return next(artifact.path for artifact in self.artifacts if artifact.target == target)

    def as_dict(self) -> dict[str, Any]:
        """The report as a JSON document, with the paths as they are on this machine."""
        return {
            "source": str(self.source),
            "name": self.name,
            "report": str(self.report),
            "artefacts": [_described(artifact) for artifact in self.artifacts],
            "metadata": json.loads(self.metadata.to_json()),
            "multiply_adds": self.multiply_adds,
            "source_multiply_adds": self.source_multiply_adds,
            "sensitivity": dict(self.sensitivity),
            "warnings": list(self.warnings),
            **({"front": self.front.as_dict()} if self.front else {}),
        }

    def to_json(self) -> str:
        """The text of NAME.conversion.json: no paths and no times, so that it repeats anywhere."""
        document = self.as_dict()
        document.update(source=self.source.name, report=self.report.name)
        for entry in document["artefacts"]:
            entry["path"] = Path(entry["path"]).name
            if entry["check"]:
                for key in ("inference_ms", "reference_inference_ms"):
                    del entry["check"][key]
        return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _described(artifact: Artifact) -> dict[str, Any]:
    fields = {name: getattr(artifact, name) for name in ("target", "quantization", "size_bytes")}
    check = artifact.check.as_dict() if artifact.check else None
    return {"path": str(artifact.path), **fields, "sha256": artifact.sha256, "check": check}
