"""The frame counter: detections of each frame to totals, periods and sinks, and the saved count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from ..errors import SourceError, UsageError
from ..types import Detections, Event, Frame, FrameTime, Tracks
from .periods import Periods
from .saved_count import SavedCount, source_identity, whole_number
from .scene_change import SceneChange
from .sinks import FinishingSink, FrameResult, Sink
from .totals import Totals


class FrameCounter:
    """Counts the detections of one source's frames, and saves and resumes the count.

    Args:
        source_name: the source's name, which a saved count must agree with.
        totals: tracks and counts.
        sinks: receive each frame's result, in order.
        periods: closed by scheduled resets.
        saved: where the count is saved, and resumed from.
        epoch_ns: wall clock of timestamp 0 in nanoseconds since 1970, None if unknown.
        starts_at: wall clock of the first frame, for a source without `epoch_ns`.

    Attributes:
        frames: number of frames counted so far.
        next_index: index of the first frame that is not counted.
        dropped, skipped: live frames lost, and frames that rate control left out.

    Raises:
        StateError: the saved count is of another source, model or options, or damaged.
        UsageError: a schedule without a wall clock; a sink that cannot write.
    """

    def __init__(
        self,
        source_name: str,
        totals: Totals,
        sinks: Sequence[Sink],
        periods: Periods,
        *,
        saved: SavedCount | None = None,
        epoch_ns: int | None = None,
        starts_at: int | None = None,
    ) -> None:
        self.source_name, self.totals, self.periods = source_name, totals, periods
        self.epoch_ns = epoch_ns
        self.frames = self.next_index = self.dropped = self.skipped = 0
        self._sinks = sinks
        self._last: FrameResult | None = None
        self._saved = saved
        self._changed = True
        self._scene = SceneChange()
        self._published = True
        self._starts_at = starts_at
        if saved is not None and saved.document:
            self._restore(saved)
        if periods.scheduled and epoch_ns is None and starts_at is None:
            raise UsageError(
                "a schedule needs the time of day, which the source does not have",
                "Set the start of the source: --starts-at 2026-05-01T08:00:00",
            )
        with ExitStack() as opened:
            self._start_sinks(opened)
            self._stack = opened.pop_all()

    def _restore(self, saved: SavedCount) -> None:
        with saved.reading() as document:
            source = document.get("source")
            if source is not None and source != source_identity(self.source_name):
                raise saved.error(f"it is of the source {str(source.get('name'))[:200]!r}")
            if list(self.totals.class_names) != document["class_names"]:
                raise saved.error("it is of a model with other classes")
            self.totals.restore(document["tally"])
            self.periods.restore(document)
            self.dropped = whole_number(document, "dropped")
            self.skipped = whole_number(document, "skipped")
        self.frames, self.next_index = saved.frames, saved.next_index
        self.epoch_ns = saved.epoch_ns if self.epoch_ns is None else self.epoch_ns

    def _start_sinks(self, opened: ExitStack) -> None:
        for sink in self._sinks:
            if self._saved is None:
                sink.restore({})
            else:
                with self._saved.reading() as document:
                    sink.restore(document)
            opened.callback(sink.close)

    def add(self, frame: Frame | FrameTime, detections: Detections) -> FrameResult:
        """Count one frame.

        Raises:
            SourceError: it is of another size than the frames of the totals.
            TimestampError: it is not later than the frame before.
        """
        if isinstance(frame, Frame):
            self._check_size(frame)
        if self.epoch_ns is None and self._starts_at is not None:
            self.epoch_ns = self._starts_at - frame.timestamp_ns
        if self.epoch_ns is not None:
            self._close_period(self.epoch_ns + frame.timestamp_ns)
        tracks, events = self.totals.add(frame.timestamp_ns, detections)
        result = FrameResult(frame, detections, tracks, events, self.totals, self.epoch_ns)
        self.frames += 1
        self.next_index = frame.index + 1
        # A still frame changes only numbers that the next save brings up to date.
        tentative = len(detections) > len(tracks)
        self._changed |= tentative or bool(events) or self._scene.differs(tracks)
        self._publish(result)
        return result

    def conclude(self) -> FrameResult | None:
        """The source has ended: the last frame's result with the events that this decides.

        None if there are none. The count can still resume, on a longer source.
        """
        events = self.totals.conclude()
        if not events:
            return None
        result = self._last_result(events)
        self._publish(result)
        return result

    def _last_result(self, events: list[Event]) -> FrameResult:
        if self._last is not None:
            return replace(self._last, events=events)
        # The last frame was counted by the process before.
        frame = FrameTime(self.totals.last_ns or 0, max(self.next_index - 1, 0))
        return FrameResult(
            frame, Detections.empty(), Tracks.empty(), events, self.totals, self.epoch_ns
        )

    def _publish(self, result: FrameResult) -> None:
        self._last = result
        with self._publishing():
            for sink in self._sinks:
                sink.frame(result)

    @contextmanager
    def _publishing(self) -> Iterator[None]:
        """If a sink fails, what was saved last stays: the next process sends the rest again."""
        self._published = False
        yield
        self._published = True

    def _check_size(self, frame: Frame) -> None:
        width, height = frame.size
        if (width, height) != self.totals.frame_size:
            raise SourceError(
                self.source_name,
                f"frame {frame.index} is {width}x{height}, the frames before were {{}}x{{}}".format(
                    *self.totals.frame_size
                ),
                "Count images of one size at a time, or unrelated photos with --stills",
            )

    def _close_period(self, now_ns: int) -> None:
        span = self.periods.span_closed_at(now_ns)
        if span is not None:
            period = self.periods.close(span, self.totals.close_period())
            self._changed = True
            with self._publishing():
                for sink in self._sinks:
                    sink.period(period)

    def save(self, *, when_due: bool = False) -> None:
        """Save the count; with `when_due` only if the interval between saves is over."""
        saved = self._saved
        if (
            saved is None
            or not self.frames
            or not self._published
            or (when_due and not saved.is_due(changed=self._changed))
        ):
            return
        values: dict[str, Any] = {
            "source": source_identity(self.source_name),
            "class_names": list(self.totals.class_names),
            "next_index": self.next_index,
            "last_ns": self.totals.last_ns,
            "epoch_ns": self.epoch_ns,
            "frames": self.frames,
            "dropped": self.dropped,
            "skipped": self.skipped,
            "tally": self.totals.save(),
            **self.periods.save(),
        }
        for sink in self._sinks:
            values |= sink.save()
        saved.save(values)
        self._changed = False
        if self._last is not None:
            self._scene.remember(self._last.tracks)

    def finish_sinks(self, warnings: list[str]) -> None:
        """Let sinks deliver what waits; adds warnings on what was not delivered.

        A sink that fails does not keep the others from finishing; its error is then raised.
        """
        with ExitStack() as finishing:
            # Callbacks run in the reverse order, and after one that raises.
            for sink in reversed(self._sinks):
                if isinstance(sink, FinishingSink):
                    finishing.callback(_finish, sink, warnings)

    def close(self) -> None:
        """Close the sinks."""
        self._stack.close()


def _finish(sink: FinishingSink, warnings: list[str]) -> None:
    warnings += sink.finish()
