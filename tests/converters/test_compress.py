"""Pruning and recovery through convert: names, refusals and what is left behind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from tallylens.converters.compress import PRUNING_IMAGES, PruneOptions, check_compression
from tallylens.converters.convert import convert
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.load import load
from tallylens.converters.prune.prune import Pruned
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.types import Image


@pytest.mark.parametrize(
    ("compression", "images", "text"),
    [
        (PruneOptions(prune=1.0), Path(), "--prune is 1.0"),
        (PruneOptions(prune=-0.1), Path(), "--prune is -0.1"),
        (PruneOptions(prune=float("nan")), Path(), "--prune is nan"),
        (PruneOptions(recover=5), Path(), "--recover works on a pruned model only"),
        (PruneOptions(prune=0.2), None, "pruning needs images to see which channels matter"),
    ],
)
def test_what_makes_no_sense_is_refused(
    compression: PruneOptions, images: Path | None, text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        check_compression(compression, images)


def test_a_budget_may_prune_what_is_recovered() -> None:
    check_compression(PruneOptions(recover=5), Path(), budget=True)


def test_the_suffix_says_how_much() -> None:
    assert PruneOptions().suffix == ""
    assert PruneOptions(prune=0.2).suffix == "-pruned20"
    assert PruneOptions(prune=0.29).suffix == "-pruned29"


@pytest.mark.slow
@pytest.mark.realdata
def test_convert_prunes_recovers_and_cleans_up(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    kept = {"a": np.arange(3)}

    def recover(
        graph: DetectorGraph, teacher: DetectorGraph, images: Path, minutes: float, **more: object
    ) -> DetectorGraph:
        assert more["kept"] is kept
        assert isinstance(more["state"], Path)
        more["state"].write_bytes(b"so far")
        assert teacher.metadata.passes == load(source, input_size=(64, 64)).metadata.passes
        return graph.with_pass("recover", minutes=minutes)

    def prune(
        graph: DetectorGraph, fraction: float, images: Iterable[Image], **_: object
    ) -> Pruned:
        assert [image.shape for image in images] == [(64, 64, 3)] * PRUNING_IMAGES
        return Pruned(graph.with_pass("prune", fraction=fraction), kept)

    # Both have tests of their own; here is what convert makes of them.
    monkeypatch.setattr("tallylens.converters.prune.prune.prune_channels", prune)
    monkeypatch.setattr("tallylens.converters.distill.recover.recover", recover)
    source = data / "checkpoints" / "v7-tiny-3class.pt"
    report = convert(
        source,
        out_dir=tmp_path,
        targets=["onnx"],
        calibration=data / "coco" / "images" / "calib",
        input_size=(64, 64),
        compression=PruneOptions(prune=0.3, recover=2),
        progress=lambda stage, _done: told.append(stage),
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "v7-tiny-3class-pruned30.conversion.json",
        "v7-tiny-3class-pruned30.onnx",
    ]
    assert [one.name for one in report.metadata.passes][-2:] == ["prune", "recover"]
    assert told[0] == "load"
    assert told[-1] == "done"
