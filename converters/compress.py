"""A smaller detector from a larger one: prune, then perhaps learn back from the original."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..edge_runtime.errors import UsageError
from .calibration import calibration_images

if TYPE_CHECKING:
    from .distill.recover import RecoveryProgress
    from .graph import DetectorGraph

Progress = Callable[[str, float | None], None]
PRUNING_IMAGES = 128


@dataclass(frozen=True)
class PruneOptions:
    """`prune` is the share of multiply-adds to take, `recover` minutes of training after it."""

    prune: float = 0.0
    recover: float = 0.0

    @property
    def suffix(self) -> str:
        """What file names get: `-pruned20`."""
        return f"-pruned{round(100 * self.prune)}" if self.prune else ""


def check_compression(compression: PruneOptions, images: Path | None) -> None:
    """Raise UsageError unless the shares and times make sense and there are images for them."""
    if not 0 <= compression.prune < 1:
        raise UsageError(
            f"{compression.prune} of the multiply-adds cannot be pruned",
            "Give --prune from 0 to below 1",
        )
    if compression.recover and not compression.prune:
        raise UsageError("there is nothing to recover from", "Give --prune as well")
    if compression.prune and images is None:
        raise UsageError(
            "pruning needs images to see which channels matter",
            "Give a folder of about 100 images from the camera's view with --calibration",
        )


def compress(
    graph: DetectorGraph, compression: PruneOptions, images: Path, state: Path, tell: Progress
) -> DetectorGraph:
    """`graph` pruned and recovered; `state` lets an interrupted recovery go on where it was."""
    from .prune.prune import prune

    pictures = calibration_images(images, graph.metadata.input_size, PRUNING_IMAGES)
    smaller = prune(graph, compression.prune, pictures, progress=tell)
    if not compression.recover:
        return smaller
    from .distill.recover import recover

    def told(step: RecoveryProgress) -> None:
        tell(f"recover, loss {step.loss:.3f}", step.done)

    return recover(smaller, graph, images, compression.recover, state=state, progress=told)
