"""Label-free recovery: a compressed detector learns from the original it came from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from ...edge_runtime.errors import UsageError
from ...edge_runtime.progress import Progress, no_progress
from ...edge_runtime.types import FloatArray, Image
from ..calibration import letterboxed
from ..distance.heads import head_error
from ..emit.tensorflow import quiet_tensorflow
from ..graph import DetectorGraph
from ..operators import set_input
from ..prune.channel_removal import copy_of
from ..prune.sensitivity import run_heads
from ..quantize.statistics import to_input
from .augment import make_batch, read_folder
from .features import Kept, compared_features
from .student import Weights, read_weights, refuse_untrainable, write_weights
from .training import Trainer, TrainingState
from .training_state import fingerprint, load_state, save_state

Clock = Callable[[], float]
MAX_HELD_BACK = 32
_LARGER = 2


@dataclass(frozen=True)
class Schedule:
    """Learning rate, batches and intervals of a training run.

    `rate` is a share of the size of each channel's weights.
    Training ends after `patience` of the `checks` in a row that find nothing better.
    """

    rate: float = 8e-4
    warm_up: int = 50
    batch: int = 8
    side: int = 320
    checks: int = 10
    patience: int = 3
    save_every: float = 30.0

    def crops(self, step: int) -> tuple[int, int]:
        """How many crops a step takes, and their side: every other step has fewer, larger ones.

        Objects that fill an input of 640 pixels are never whole in crops of 320.
        """
        if step % 2 == 0 and self.batch >= _LARGER**2:
            return self.batch // _LARGER**2, _LARGER * self.side
        return self.batch, self.side

    def rate_at(self, done: float, step: int) -> float:
        """Cosine over the share of time that is over, after a short rise."""
        return (
            self.rate * min(1.0, step / self.warm_up) * (0.505 + 0.495 * math.cos(math.pi * done))
        )


def recover(
    graph: DetectorGraph,
    teacher: DetectorGraph,
    images_dir: Path,
    minutes: float,
    *,
    kept: Kept | None = None,
    state: Path | None = None,
    progress: Progress | None = None,
    schedule: Schedule | None = None,
    clock: Clock = time.monotonic,
) -> DetectorGraph:
    """`graph` with weights trained for `minutes` to give what `teacher` gives; no labels.

    One image in eight of the folder is the validation split. On it the result is never further
    from the teacher than `graph` was: where training does not help, the weights stay as they are,
    and where it helps no more, it ends before its time.

    Args:
        graph: stays as it is.
        teacher: of the same heads.
        images_dir: at least two images.
        minutes: of training, over all runs that share `state`.
        kept: the teacher's channels that `graph` has, by value name, as pruning gives them: these
            features are compared, too.
        state: a file, written every half minute and when the run is interrupted; a run resumes
            from it if it exists. It stays: delete it when the result is safe.
        progress: receives `recover, loss L` (a moving average) and the fraction of the time used.
        schedule: of training; for tests and measurements.
        clock: seconds, rising.

    Raises:
        UsageError: no time, or graphs of different heads.
        InputError: the folder or the state cannot be used.
        UnsupportedModelError: TensorFlow cannot hold a node.
        UnavailableError: TensorFlow is not installed, or the disk is full.
    """
    _check(graph, teacher, minutes)
    plan = schedule or Schedule()
    images = read_folder(Path(images_dir))
    held_out, used = images[::8], [image for index, image in enumerate(images) if index % 8]
    validation = _Validation(graph, teacher, held_out)
    start = read_weights(graph)
    belongs_to = fingerprint(start, read_weights(teacher))
    standing = load_state(state, start, belongs_to) if state else None
    before = validation.error(start)
    if standing is None:
        standing = TrainingState.start(start, before)
    else:  # perhaps of a version that measured on other images
        standing.start_error = before
        standing.best_error = validation.error(standing.best)
    features = compared_features(graph, teacher, kept or {})
    with quiet_tensorflow(training=True) as tf:
        run = _Run(
            Trainer(tf, graph, teacher, features),
            standing,
            used,
            validation,
            plan,
            minutes * 60,
            clock,
        )
        run.trainer.load(standing)
        try:
            run.run(state, belongs_to, progress or no_progress)
        finally:
            run.trainer.save(standing)
            if state:
                save_state(state, standing, belongs_to)
    recovered = write_weights(graph, standing.best)
    return recovered.with_pass(
        "recover",
        minutes=round(standing.seconds / 60, 2),
        steps=standing.step,
        images=len(images),
        error_before=round(standing.start_error, 4),
        error_after=round(standing.best_error, 4),
    )


def _check(graph: DetectorGraph, teacher: DetectorGraph, minutes: float) -> None:
    if not minutes > 0 or not math.isfinite(minutes):
        raise UsageError(f"{minutes} minutes of recovery", "Give more than 0, such as --recover 20")
    ours, theirs = graph.metadata, teacher.metadata
    if (ours.anchors, ours.reg_max, ours.class_names) != (
        theirs.anchors,
        theirs.reg_max,
        theirs.class_names,
    ):
        raise UsageError(
            "the model to recover and the one to learn from have different heads",
            "Give the unpruned form of the same model",
        )
    refuse_untrainable(graph)
    refuse_untrainable(teacher)


class _Validation:
    """Head error on whole images of the validation split, in ONNX Runtime."""

    def __init__(
        self, graph: DetectorGraph, teacher: DetectorGraph, images: Sequence[Image]
    ) -> None:
        size = graph.metadata.input_size
        chosen = images[:: -(-len(images) // MAX_HELD_BACK)]
        self._inputs = [to_input(letterboxed(image[:, :, ::-1], size)) for image in chosen]
        self._graph = _for_one_image(graph)
        self._wanted = run_heads(_for_one_image(teacher), self._inputs)

    def error(self, weights: Weights) -> float:
        """Of the graph with `weights`."""
        found: list[FloatArray] = run_heads(write_weights(self._graph, weights), self._inputs)
        return head_error(self._graph.metadata, found, self._wanted)


def _for_one_image(graph: DetectorGraph) -> DetectorGraph:
    copy = copy_of(graph)
    set_input(copy.model, graph.metadata.input_size, 1)
    return copy


@dataclass
class _Run:
    """Training from one state until the time is over."""

    trainer: Trainer
    state: TrainingState
    images: Sequence[Image]
    validation: _Validation
    plan: Schedule
    budget: float
    clock: Clock

    def run(self, path: Path | None, belongs_to: str, progress: Progress) -> None:
        state, trainer = self.state, self.trainer
        saved, now = state.seconds, self.clock()
        checked = int(state.seconds / self.budget * self.plan.checks)
        loss = math.nan
        with closing(self._batches(state.step + 1)) as batches:
            while state.seconds < self.budget and state.stale < self.plan.patience:
                found = self._step(next(batches))
                loss = found if math.isnan(loss) else 0.95 * loss + 0.05 * found
                before, now = now, self.clock()
                state.seconds += now - before
                done = min(1.0, state.seconds / self.budget)
                if int(done * self.plan.checks) > checked:
                    checked = int(done * self.plan.checks)
                    self._keep_best()
                if path and state.seconds - saved >= self.plan.save_every:
                    saved = state.seconds
                    trainer.save(state)
                    save_state(path, state, belongs_to)
                progress(
                    f"recover, loss {loss:.3f}", 1.0 if state.stale >= self.plan.patience else done
                )

    def _batches(self, first: int) -> Generator[Image]:
        """The batches from step `first` on, each made while the one before it trains.

        A batch depends on its number alone, so that a resumed run repeats it.
        """

        def make(number: int) -> Image:
            random = np.random.default_rng([0, number])
            return make_batch(self.images, *self.plan.crops(number), random)

        with ThreadPoolExecutor(1) as pool:
            batch = make(first)
            for number in count(first + 1):
                following = pool.submit(make, number)
                yield batch
                batch = following.result()

    def _step(self, batch: Image) -> float:
        number = self.state.step + 1
        done = self.state.seconds / self.budget
        loss = self.trainer.step(batch, self.plan.rate_at(done, number))
        self.state.step = number
        return loss

    def _keep_best(self) -> None:
        self.trainer.save(self.state)
        error = self.validation.error(self.state.average)
        self.state.stale += 1
        if error < self.state.best_error:
            self.state.best, self.state.best_error = dict(self.state.average), error
            self.state.stale = 0
