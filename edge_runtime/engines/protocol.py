"""What every engine gives to the core: an input to write into, and raw heads to read from."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ..metadata import Layout, ModelMetadata

HeadDtype = Literal["float32", "uint8", "int8"]
TensorView = npt.NDArray[Any]


@dataclass(frozen=True)
class HeadSpec:
    """How to read one raw head.

    `width` and `height` are in cells of `stride` input pixels, `anchors` are (width, height) in
    input pixels. The array is (1, channels, height, width) for NCHW and (1, height, width,
    channels) for NHWC, channels = len(anchors) * (5 + classes). A logit is
    `scale * (value - zero_point)`; float heads have scale 1 and zero point 0.
    """

    name: str
    dtype: HeadDtype
    layout: Layout
    width: int
    height: int
    stride: int
    anchors: tuple[tuple[float, float], ...]
    scale: float = 1.0
    zero_point: int = 0


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
    def input(self) -> TensorView: ...

    def run(self) -> list[npt.NDArray[np.generic]]:
        """One inference. The arrays, in the order of `heads`, are valid until the next `run`."""
        ...

    def close(self) -> None:
        """Give the model's memory back. Arrays that are still held stay readable."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
