"""Detection in a batch of frames that do not trust each other: a fault is that of one frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...edge_runtime.types import Detections, Image
from ..wire.messages import Reason
from .models import BatchDetector

Decode = Callable[[], Image | None]
Fault = Callable[[str], None]


def decode_safely(decode: Decode, fault: Fault) -> Image | None:
    """The image of a frame; None where it is invalid, whatever the decoder raises."""
    try:
        return decode()
    except Exception:
        fault("decoding")
        return None


def detect_each(
    detector: BatchDetector, images: Sequence[Image | None], fault: Fault
) -> list[Detections | Reason]:
    """The outcome of each image; if the batch fails, each is tried alone.

    Args:
        detector: runs the model.
        images: one per frame, None for those that cannot be decoded.
        fault: notes the exception that is being handled, by where.
    """
    valid = [image for image in images if image is not None]
    found = iter(_detect(detector, valid, fault) if valid else [])
    return ["undecodable" if image is None else next(found) for image in images]


def _detect(
    detector: BatchDetector, images: Sequence[Image], fault: Fault
) -> list[Detections | Reason]:
    try:
        found = detector.detect(images)
        if len(found) != len(images):
            raise RuntimeError(f"{len(found)} results for {len(images)} images")
    except Exception:
        fault("detecting")
        if len(images) == 1:
            return ["failed"]
        return [outcome for image in images for outcome in _detect(detector, [image], fault)]
    return list(found)
