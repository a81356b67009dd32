"""The workers of a count: engines of one or more input sizes, and the governor they follow."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detection.detector import Detector, Timing
from tallylens.edge_runtime.detection.multi_size_detector import MultiSizeDetector
from tallylens.edge_runtime.engines import Engine, open_engine
from tallylens.edge_runtime.engines.open import read_metadata, takes_input
from tallylens.edge_runtime.rate_control.governor import Governor, Remote
from tallylens.models import fitting_input, ready_model, runs_as_it_is
from tallylens.store import resolve

# Of the largest input's sides, for the governor.
SMALLER = (0.75, 0.5)


@dataclass(frozen=True)
class RateLimits:
    """What the governor keeps; see `Governor`."""

    max_fps: float | None = None
    budget_ms: float | None = None
    remote: Remote | None = None
    on_change: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class ModelVariant:
    """A model file and the (height, width) that its input is to have; None is the file's own."""

    path: Path
    size: tuple[int, int] | None = None

    def open(self) -> Engine:
        """An engine on one thread."""
        return open_engine(self.path, input_size=self.size)

    def can_open(self) -> bool:
        """Whether the model takes that size."""
        return self.size is None or takes_input(self.path, self.size)


def fitted(path: Path, frame_size: tuple[int, int]) -> ModelVariant:
    """The model with the rectangle that fits (width, height) frames, where it can take that.

    A rectangle is taken that shows frames at least as large as the file's own, in no more pixels.
    """
    metadata = read_metadata(path)
    own, stride = metadata.input_size, max(metadata.strides)
    best = fitting_input(frame_size, stride, max(own))
    if best != own and _gain(best, frame_size) >= _gain(own, frame_size):
        form = ModelVariant(path, best)
        if math.prod(best) <= math.prod(own) and form.can_open():
            return form
    return ModelVariant(path)


def _gain(size: tuple[int, int], frame_size: tuple[int, int]) -> float:
    return min(size[0] / frame_size[1], size[1] / frame_size[0])


class DetectorPool:
    """Detectors for frames of one size; close it to free the engines.

    Attributes:
        workers: one a thread.
        governor: decides on rate, size and cloud.
        model: the file that is run.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        frame_size: tuple[int, int],
        *,
        imgsz: tuple[int, int] | None,
        workers: int,
        decoding: DecoderOptions,
        limits: RateLimits,
    ) -> None:
        path = ready_model(model, frame_size=frame_size, imgsz=imgsz)
        self.model = path
        forms = [fitted(path, frame_size) if imgsz is None else ModelVariant(path)]
        with ExitStack() as stack:
            engine = stack.enter_context(forms[0].open())
            self.metadata, self.engine_name = engine.metadata, engine.name
            if limits.budget_ms is not None:
                forms += self._smaller(model, path, frame_size)
            # The first engine is open already.
            engines = [[engine], *([] for _ in range(workers - 1))]
            for own in engines:
                own += [stack.enter_context(form.open()) for form in forms[len(own) :]]
            self.governor = Governor(
                budget_ms=limits.budget_ms,
                max_fps=limits.max_fps,
                sizes=["{}x{}".format(*one.metadata.input_size) for one in engines[0]],
                remote=limits.remote is not None,
                on_change=limits.on_change,
            )
            self.workers = [
                MultiSizeDetector(
                    [Detector(one, decoding) for one in own], self.governor, limits.remote
                )
                for own in engines
            ]
            self._stack = stack.pop_all()

    def _smaller(
        self, model: str | os.PathLike[str], path: Path, frame_size: tuple[int, int]
    ) -> list[ModelVariant]:
        """The same model at smaller inputs, where it can have them."""
        stride = max(self.metadata.strides)
        height, width = self.metadata.input_size
        shares = [(height * share, width * share) for share in SMALLER]
        sizes = [(_whole(h, stride), _whole(w, stride)) for h, w in shares]
        sizes = [size for size in dict.fromkeys(sizes) if size != (height, width)]
        if runs_as_it_is(resolve(model)):
            return [form for size in sizes if (form := ModelVariant(path, size)).can_open()]
        return [
            ModelVariant(ready_model(model, frame_size=frame_size, imgsz=size)) for size in sizes
        ]

    @property
    def timing(self) -> Timing:
        """Of all workers together."""
        return sum((worker.timing for worker in self.workers), Timing())

    def close(self) -> None:
        """Free the engines."""
        self._stack.close()


def _whole(side: float, stride: int) -> int:
    return math.ceil(side / stride - 1e-6) * stride
