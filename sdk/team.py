"""The workers of a count: engines of one or more input sizes, and the governor they follow."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detector import Detector, Timing
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.governed import GovernedDetector
from tallylens.edge_runtime.governor import Governor, Remote
from tallylens.models import ready_model, runs_as_it_is
from tallylens.store import resolve

# Of the largest input's sides, where the model still has to be converted.
SMALLER = (0.75, 0.5)


@dataclass(frozen=True)
class Limits:
    """What the governor keeps; see `Governor`."""

    max_fps: float | None = None
    budget_ms: float | None = None
    remote: Remote | None = None
    on_change: Callable[[str], None] = lambda _: None


class Team:
    """Detectors for frames of one size; close it to free the engines.

    Attributes:
        workers: one a thread.
        governor: decides on rate, size and cloud.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        frame_size: tuple[int, int],
        *,
        imgsz: tuple[int, int] | None,
        workers: int,
        decoding: DecoderOptions,
        limits: Limits,
    ) -> None:
        with ExitStack() as stack:
            path = ready_model(model, frame_size=frame_size, imgsz=imgsz)
            engine = stack.enter_context(open_engine(path))
            self.metadata, self.engine_name = engine.metadata, engine.name
            paths = [path]
            if limits.budget_ms is not None and not runs_as_it_is(resolve(model)):
                paths += self._smaller(model, frame_size)
            # The first engine is open already.
            engines = [[engine], *([] for _ in range(workers - 1))]
            for own in engines:
                own += [stack.enter_context(open_engine(one)) for one in paths[len(own) :]]
            self.governor = Governor(
                budget_ms=limits.budget_ms,
                max_fps=limits.max_fps,
                sizes=["{}x{}".format(*one.metadata.input_size) for one in engines[0]],
                remote=limits.remote is not None,
                on_change=limits.on_change,
            )
            self.workers = [
                GovernedDetector(
                    [Detector(one, decoding) for one in own], self.governor, limits.remote
                )
                for own in engines
            ]
            self._stack = stack.pop_all()

    def _smaller(self, model: str | os.PathLike[str], frame_size: tuple[int, int]) -> list[Path]:
        stride = max(self.metadata.strides)
        height, width = self.metadata.input_size
        sizes = [
            tuple(math.ceil(side * share / stride) * stride for side in (height, width))
            for share in SMALLER
        ]
        return [
            ready_model(model, frame_size=frame_size, imgsz=(size[0], size[1]))
            for size in dict.fromkeys(sizes)
            if size != (height, width)
        ]

    @property
    def timing(self) -> Timing:
        """Of all workers together."""
        return sum((worker.timing for worker in self.workers), Timing())

    def close(self) -> None:
        """Free the engines."""
        self._stack.close()
