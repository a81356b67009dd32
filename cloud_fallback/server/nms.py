"""Top-k boxes of a server model to detections: undo the letterbox, suppress repeated boxes.

The core's decoder takes raw head outputs only, and a server model gives decoded boxes (its top k
leave the accelerator, not its heads), so the decoder's rules are applied here with numpy.
"""

from __future__ import annotations

import numpy as np

from ...edge_runtime.boxes import box_iou
from ...edge_runtime.core import DecoderOptions
from ...edge_runtime.core.preprocessor import Letterbox
from ...edge_runtime.types import Detections, FloatArray

LetterboxValues = tuple[float, float, float, float, int, int]
"""(gain x, gain y, pad x, pad y, source width, source height)."""


def detections_of(
    rows: FloatArray, letterbox: LetterboxValues, options: DecoderOptions
) -> Detections:
    """The detections of one image in its own pixels.

    Args:
        rows: (k, 6): left, top, right, bottom in input pixels, confidence, class.
        letterbox: how the image was placed in the input.
        options: the rules of the core's decoder.
    """
    good = np.isfinite(rows).all(1) & (rows[:, 4] >= options.confidence)
    rows = rows[good]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")[: options.max_candidates]]
    rows = rows[_kept(rows, options)]
    gain_x, gain_y, pad_x, pad_y, width, height = letterbox
    pad, gain = np.array([pad_x, pad_y] * 2), np.array([gain_x, gain_y] * 2)
    boxes = np.clip((rows[:, :4] - pad) / gain, 0, np.array([width, height] * 2))
    return Detections(
        boxes.astype(np.float32), rows[:, 4].astype(np.float32), rows[:, 5].astype(np.int32)
    )


def values_of(letterbox: Letterbox) -> LetterboxValues:
    """A copy of the letterbox of one frame, which the preprocessor overwrites with the next."""
    return (
        letterbox.gain_x,
        letterbox.gain_y,
        letterbox.pad_x,
        letterbox.pad_y,
        letterbox.source_width,
        letterbox.source_height,
    )


def _kept(rows: FloatArray, options: DecoderOptions) -> list[int]:
    """Indices of the rows, best first, that overlap no better one by more than the limit."""
    alive = np.ones(len(rows), bool)
    kept: list[int] = []
    for i in range(len(rows)):
        if not alive[i]:
            continue
        kept.append(i)
        if len(kept) == options.max_detections:
            break
        overlap = box_iou(rows[i : i + 1, :4], rows[i + 1 :, :4])[0]
        same_class = rows[i + 1 :, 5] == rows[i, 5]
        limit = np.where(same_class, options.iou, options.cross_class_iou)
        alive[i + 1 :] &= (limit >= 1) | (overlap <= limit)
    return kept
