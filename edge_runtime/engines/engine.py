"""What every engine gives to the core: an input to write into, and raw heads to read from."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..metadata import ModelMetadata
from ..types import HeadSpec as HeadSpec

TensorView = npt.NDArray[Any]


class Engine(Protocol):
    """A loaded model of batch 1. Not thread-safe: one engine a thread; `run` releases the GIL.

    `input` is C-contiguous memory of the engine itself, (1, 3, height, width) or (1, height,
    width, 3), to be written in place before each `run`, and all of it, since a run may use it as
    scratch. Pixels are RGB: float32 from 0 to 1, uint8 from 0 to 255, or int8 from -128 to 127.
    """

    metadata: ModelMetadata
    name: str
    heads: list[HeadSpec]

    @property
    def input(self) -> TensorView:
        """Where the next image goes."""
        ...

    def run(self) -> list[npt.NDArray[np.generic]]:
        """One inference. The arrays, in the order of `heads`, are valid until the next `run`."""
        ...

    def close(self) -> None:
        """Give the model's memory back. Arrays that are still held stay readable."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exception: object) -> None: ...
