"""Mode `count`: the server counts one session's frames as `tallylens count` does on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...edge_runtime.counting.regions import reports_as_dict
from ...edge_runtime.counting.time_bins import TimeBins
from ...edge_runtime.counting.totals import Totals
from ...edge_runtime.types import Detections
from ..wire.frames import FrameHeader
from ..wire.regions import Region
from ..wire.server_session import NO_TIME_US

# A session is saved with every answer: without the timeline, which no summary shows.
UNTIMED = {"occupancy": TimeBins("max", ()).save()}


@dataclass(frozen=True)
class SavedCount:
    """The state of a count, for another process to resume it.

    Args:
        class_names, regions, any_class: what is counted.
        frame_size: (width, height) of the first frame.
        totals: what `Totals.save` gave; None before the first frame.
        last_us: capture time of the last frame counted.
        waiting: answered frames that are not counted yet.
    """

    class_names: tuple[str, ...]
    regions: tuple[Region, ...]
    any_class: bool
    frame_size: tuple[int, int]
    totals: dict[str, Any] | None
    last_us: int
    waiting: tuple[tuple[FrameHeader, Detections], ...]


class SessionCount:
    """Counts frames in the order of their sequence numbers, in whichever order answers come.

    Args:
        class_names: of the model.
        regions: lines and zones, in fractions of width and height.
        any_class: count every detection as one class.
    """

    def __init__(
        self, class_names: Sequence[str], regions: Sequence[Region], any_class: bool
    ) -> None:
        self._class_names, self._regions = tuple(class_names), tuple(regions)
        self._any_class = any_class
        self._totals: Totals | None = None
        self._waiting: dict[int, tuple[FrameHeader, Detections]] = {}
        self.last_us = NO_TIME_US

    def save(self) -> SavedCount:
        """Everything known so far."""
        totals = self._totals
        return SavedCount(
            self._class_names,
            self._regions,
            self._any_class,
            (0, 0) if totals is None else totals.frame_size,
            None if totals is None else totals.save() | UNTIMED,
            self.last_us,
            tuple(self._waiting.values()),
        )

    @classmethod
    def restored(cls, saved: SavedCount) -> SessionCount:
        """The count that another process saved."""
        count = cls(saved.class_names, saved.regions, saved.any_class)
        count.last_us = saved.last_us
        count._waiting = {header.sequence: (header, found) for header, found in saved.waiting}
        if saved.totals is not None:
            count._totals = count._new_totals(saved.frame_size)
            count._totals.restore(saved.totals)
        return count

    def _new_totals(self, frame_size: tuple[int, int]) -> Totals:
        return Totals(
            self._class_names,
            frame_size,
            regions=self._regions,
            any_class=self._any_class,
        )

    def add(self, header: FrameHeader, detections: Detections) -> None:
        """An answered frame; it waits until those before it are answered or refused."""
        self._waiting[header.sequence] = (header, detections)

    def settle(self, ack: int) -> None:
        """Count the waiting frames up to number `ack`; an error of one leaves the others counted.

        Raises:
            Exception: the first error, once all are counted.
        """
        errors = []
        for sequence in sorted(one for one in self._waiting if one <= ack):
            try:
                self._count(*self._waiting.pop(sequence))
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _count(self, header: FrameHeader, detections: Detections) -> None:
        size = (header.width, header.height)
        if self._totals is None:
            self._totals = self._new_totals(size)
        # A client on a poor link sends smaller images of the same view.
        ratio = np.array(self._totals.frame_size, np.float32) / np.array(size, np.float32)
        scaled = Detections(
            detections.xyxy * np.tile(ratio, 2), detections.confidence, detections.class_id
        )
        self._totals.add(header.capture_us * 1000, scaled)
        self.last_us = header.capture_us

    def report(self) -> dict[str, Any]:
        """`unique`, `lines` and `zones` as in the document of `tallylens count --json`."""
        totals = self._totals
        if totals is None:
            return {}
        return {
            "unique": totals.unique(),
            **reports_as_dict(totals.regions()),
        }
