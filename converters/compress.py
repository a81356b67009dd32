"""Compression of a detector: prune it, then optionally recover by distillation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..edge_runtime.errors import UsageError
from ..edge_runtime.progress import Progress
from .calibration import calibration_images

if TYPE_CHECKING:
    from .graph import DetectorGraph

PRUNING_IMAGES = 128


@dataclass(frozen=True)
class PruneOptions:
    """`prune`: fraction of the MACs to remove; `recover`: minutes of distillation after it."""

    prune: float = 0.0
    recover: float = 0.0

    @property
    def suffix(self) -> str:
        """The part of file names that says so, such as `-pruned20`."""
        return f"-pruned{round(100 * self.prune)}" if self.prune else ""


def check_compression(
    compression: PruneOptions, images: Path | None, *, budget: bool = False
) -> None:
    """Raise UsageError unless the options are in range and images are given for them.

    `budget`: whether a search may still decide to prune.
    """
    if not 0 <= compression.prune < 1:
        raise UsageError(f"--prune is {compression.prune}", "Use a fraction from 0 to below 1")
    if compression.recover and not (compression.prune or budget):
        raise UsageError("--recover works on a pruned model only", "Add --prune")
    if compression.prune and images is None:
        raise UsageError(
            "pruning needs images to see which channels matter",
            "Give a folder of about 100 images from the camera's view with --calibration",
        )


def check_budget(budget: object, images: Path | None, compression: PruneOptions) -> None:
    """Raise UsageError unless a budget has images to choose on, and nothing else prunes."""
    if budget is None:
        return
    if images is None:
        raise UsageError(
            "--budget needs images to compare candidates on",
            "Give a folder of about 100 images from the camera's view with --calibration",
        )
    if compression.prune:
        raise UsageError("--budget decides on pruning itself", "Omit --prune")


def compress(
    graph: DetectorGraph, compression: PruneOptions, images: Path, state: Path, progress: Progress
) -> DetectorGraph:
    """`graph` pruned and recovered; an interrupted recovery resumes from the file `state`."""
    from .prune.prune import prune_channels

    chosen = calibration_images(images, graph.metadata.input_size, PRUNING_IMAGES)
    smaller = prune_channels(graph, compression.prune, chosen, progress=progress)
    if not compression.recover:
        return smaller.graph
    from .distill.recover import recover

    return recover(
        smaller.graph,
        graph,
        images,
        compression.recover,
        kept=smaller.kept,
        state=state,
        progress=progress,
    )
