"""A comparison of two models in words that need no knowledge of logits or IoU."""

from __future__ import annotations

from .agreement import Agreement

# (at least this fraction, what it means). Of the reference's mAP: 1% is within what another set of
# images changes.
_KEPT = (
    (0.99, "as good as the reference"),
    (0.95, "slightly worse than the reference"),
    (0.8, "clearly worse than the reference"),
    (0.5, "much worse than the reference"),
    (0.0, "unusable in place of the reference"),
)
# Of the detections: int8 files that keep 98% of the mAP agree on 0.6 to 0.8 of them, because a pair
# needs an IoU of 0.9.
_AGREED = (
    (0.9, "nearly the same detections"),
    (0.6, "mostly the same detections, as after a sound quantization"),
    (0.3, "many detections differ"),
    (0.0, "hardly any detection agrees: unusable in place of the reference"),
)


def verdict(found: Agreement, kept: float | None) -> str:
    """How good the model is in place of the reference, as a sentence without a full stop.

    Args:
        found: the detections of both.
        kept: the model's mAP as a fraction of the reference's, None if it was not measured.
    """
    if kept is not None:
        return f"{_word(kept, _KEPT)}: {kept:.1%} of its mAP"
    if not found.reference and not found.model:
        return "nothing was detected, so that nothing can be said"
    missed, added = found.reference - found.matched, found.model - found.matched
    return (
        f"{_word(found.agreement, _AGREED)}: {missed} of {found.reference} are missing or differ, "
        f"{added} of {found.model} are not the reference's"
    )


def _word(value: float, words: tuple[tuple[float, str], ...]) -> str:
    return next(word for least, word in words if value >= least)
