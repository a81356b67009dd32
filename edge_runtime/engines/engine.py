"""The `Engine` protocol: an input tensor to write, and raw head outputs to read."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..metadata import ModelMetadata
from ..types import HeadSpec as HeadSpec

TensorView = npt.NDArray[Any]


class Engine(Protocol):
    """A loaded model of batch size 1. Not thread-safe: use one engine per thread.

    `input` is C-contiguous memory of the engine, (1, 3, height, width) or (1, height, width, 3).
    All of it is to be written before each `run`, which may use it as scratch memory. Pixels are
    RGB: float32 from 0 to 1, uint8 from 0 to 255, or int8 from -128 to 127. `run` releases the
    GIL.
    """

    metadata: ModelMetadata
    name: str
    heads: list[HeadSpec]

    @property
    def input(self) -> TensorView:
        """The input tensor, to be written in place."""
        ...

    def run(self) -> list[npt.NDArray[np.generic]]:
        """Run one inference; returns arrays in the order of `heads`, valid until the next `run`."""
        ...

    def close(self) -> None:
        """Release the model's memory. Arrays that are still referenced stay readable."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exception: object) -> None: ...
