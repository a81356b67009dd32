"""Frames on their way to the replicas of the model."""

from __future__ import annotations

from dataclasses import dataclass

from ...edge_runtime.types import Image
from ..server.batch_detection import Decode


@dataclass(frozen=True)
class Asked:
    """One frame for a replica.

    Args:
        decode: gives its image; it is sent to the process of the replica.
        arrived: unix time.
        any_class: boxes of two classes suppress each other as those of one do.
    """

    decode: Decode
    arrived: float
    any_class: bool = False


@dataclass(frozen=True)
class Decoded:
    """An image that is decoded already, as `Asked.decode`."""

    image: Image

    def __call__(self) -> Image:
        """The image."""
        return self.image
