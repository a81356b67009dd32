"""What a conversion has made, as objects and as NAME.conversion.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..edge_runtime.metadata import ModelMetadata, Quantization
from .evaluation.verify import Verification
from .request import Target


@dataclass(frozen=True)
class Artefact:
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
class ConversionReport:
    """What a conversion made of `source`; `metadata` is what all artefacts have in common.

    `multiply_adds`: of all convolutions for one image, and `source_multiply_adds` before pruning.
    `sensitivity`: by value name, root mean square change of the logits when this value alone is
    rounded; empty unless asked for.
    """

    source: Path
    name: str
    report: Path
    artefacts: tuple[Artefact, ...]
    metadata: ModelMetadata
    multiply_adds: int
    source_multiply_adds: int
    sensitivity: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def path_of(self, target: Target) -> Path:
        """The file written for `target`."""
        return next(artefact.path for artefact in self.artefacts if artefact.target == target)

    def as_dict(self) -> dict[str, Any]:
        """The report as a JSON document, with the paths as they are on this machine."""
        return {
            "source": str(self.source),
            "name": self.name,
            "report": str(self.report),
            "artefacts": [_described(artefact) for artefact in self.artefacts],
            "metadata": json.loads(self.metadata.to_json()),
            "multiply_adds": self.multiply_adds,
            "source_multiply_adds": self.source_multiply_adds,
            "sensitivity": dict(self.sensitivity),
            "warnings": list(self.warnings),
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


def _described(artefact: Artefact) -> dict[str, Any]:
    fields = {name: getattr(artefact, name) for name in ("target", "quantization", "size_bytes")}
    check = artefact.check.as_dict() if artefact.check else None
    return {"path": str(artefact.path), **fields, "sha256": artefact.sha256, "check": check}
