"""Which classes are counted, and totals by class name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import numpy as np

from ..class_names import GIVE_NAMES, are_numbered
from ..core.track_counter import ClassTotals
from ..errors import UsageError
from ..types import Detections, Tracks
from .region import ClassCounts


def wanted_classes(class_names: Sequence[str], classes: Iterable[str] | None) -> set[int]:
    """Ids of the named classes; of all classes if `classes` is None.

    Raises:
        UsageError: the model has no class of that name.
    """
    if classes is None:
        return set(range(len(class_names)))
    names = set(classes)
    for name in sorted(names):
        if name not in class_names:
            raise UsageError(f"unknown class {name!r}", _suggestion(name, class_names))
    return {index for index, name in enumerate(class_names) if name in names}


def _suggestion(name: str, class_names: Sequence[str]) -> str:
    if are_numbered(class_names):
        return f"The model has no class names. {GIVE_NAMES}"
    close = difflib.get_close_matches(name, class_names, n=3)
    if close:
        named = f"Did you mean {' or '.join(map(repr, close))}?"
    else:
        named = f"The model has {', '.join(class_names[:5])}{', ...' * (len(class_names) > 5)};"
    return f"{named} `tallylens inspect` lists all classes"


class ClassFilter:
    """Separates the classes that are counted from the others.

    Args:
        names: the model's class names, by id.
        classes: names of the classes to count; None counts all.

    Attributes:
        wanted: ids of the classes that are counted.
        takes_all: whether these are all classes.

    Raises:
        UsageError: an unknown name.
    """

    def __init__(self, names: tuple[str, ...], classes: Iterable[str] | None) -> None:
        self.names = names
        self.wanted = wanted_classes(names, classes)
        self.takes_all = len(self.wanted) == len(names)
        self._mask = np.array([index in self.wanted for index in range(len(names))])

    def detections(self, found: Detections) -> Detections:
        """The detections of wanted classes."""
        if self.takes_all:
            return found
        keep = self._mask[found.class_id]
        return Detections(found.xyxy[keep], found.confidence[keep], found.class_id[keep])

    def tracks(self, tracks: Tracks) -> Tracks:
        """The tracks of wanted classes."""
        if self.takes_all or not len(tracks):
            return tracks
        keep = self._mask[tracks.class_id]
        return Tracks(
            tracks.xyxy[keep], tracks.confidence[keep], tracks.class_id[keep], tracks.track_id[keep]
        )

    def named(self, class_totals: ClassTotals) -> ClassCounts:
        """Totals by class name: wanted classes above zero, in the model's order."""
        counts: ClassCounts = {}
        for i in np.flatnonzero(class_totals):
            if int(i) in self.wanted:
                name = self.names[i]
                counts[name] = counts.get(name, 0) + int(class_totals[i])
        return counts

    def unwanted(self, class_totals: ClassTotals) -> ClassCounts:
        """Totals by class name of the classes that were not asked for."""
        return {
            self.names[i]: int(class_totals[i])
            for i in np.flatnonzero(class_totals)
            if int(i) not in self.wanted
        }
