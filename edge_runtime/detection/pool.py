"""A pool of detectors: engines of one model at one or more input sizes, for several threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ..core import DecoderOptions
from .detector import Detector, Timing
from .model_variant import ModelVariant
from .multi_size_detector import MultiSizeDetector


class DetectorPool:
    """Detectors of one model, one per thread; close it to free the engines.

    Args:
        variants: the model at each input size, largest first.
        workers: number of threads.
        decoding: thresholds of confidence and NMS.

    Attributes:
        workers: the detectors.
        sizes: names of the input sizes, such as `384x640`.
        model: the file that is run.
        size_index: gives the index of the size that all workers use now; replace it to choose.

    Raises:
        ModelError: a file that is not a model, or is damaged.
    """

    def __init__(
        self, variants: Sequence[ModelVariant], workers: int, decoding: DecoderOptions
    ) -> None:
        self.model = variants[0].path
        self.size_index: Callable[[], int] = lambda: 0
        with ExitStack() as stack:
            opened = [
                [stack.enter_context(variant.open()) for variant in variants]
                for _ in range(workers)
            ]
            first = opened[0][0]
            self.metadata, self.engine_name = first.metadata, first.name
            self.sizes = ["{}x{}".format(*one.metadata.input_size) for one in opened[0]]
            self.workers = [
                MultiSizeDetector([Detector(one, decoding) for one in own], self._size)
                for own in opened
            ]
            self._stack = stack.pop_all()

    def _size(self) -> int:
        return self.size_index()

    def timing(self) -> Timing:
        """The times of all workers together."""
        return sum((worker.timing for worker in self.workers), Timing())

    def close(self) -> None:
        """Free the engines."""
        self._stack.close()

    def __enter__(self) -> DetectorPool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
