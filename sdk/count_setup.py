"""The checked arguments of a counter, and the session that counts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tallylens.detectors import ModelDetectors
from tallylens.edge_runtime.class_names import GIVE_NAMES, are_numbered
from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.counting.counting_options import CountingOptions
from tallylens.edge_runtime.counting.report import Report
from tallylens.edge_runtime.counting.reset_schedule import Schedule
from tallylens.edge_runtime.counting.saved_count import SavedCount
from tallylens.edge_runtime.counting.session import CountSession
from tallylens.edge_runtime.counting.sinks import Sink
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.outputs import check_apart
from tallylens.edge_runtime.rate_control.rate_limits import RateLimits
from tallylens.edge_runtime.sources import LiveOptions

if TYPE_CHECKING:
    from tallylens.cloud_fallback.client.offloader import OffloadOptions

# A model without names was not converted by us; int8 files of other exporters may find little.
_OF_OTHERS = (
    "; `tallylens verify` measures how a converted file agrees with the model it was made from"
)


@dataclass
class CountSetup:
    """The checked arguments of a `Counter`, and its session, which is opened once.

    Attributes:
        written: the files that the count writes, None for one that was not asked for.
        session: None until the source and the model are known.
        detectors: None until then, and where detections are given.
    """

    model: str | os.PathLike[str]
    imgsz: tuple[int, int] | None
    class_names: Sequence[str] | None
    decoding: DecoderOptions
    counting: CountingOptions
    limits: RateLimits
    schedule: Schedule | None
    starts_at: int | None
    saved: SavedCount | None
    written: Sequence[Path | None]
    sinks: list[Sink]
    live: LiveOptions
    offload: OffloadOptions | None
    session: CountSession | None = None
    detectors: ModelDetectors | None = None
    _closed: bool = False

    @property
    def counted(self) -> CountSession:
        """The session; raises UsageError before the first frame."""
        if self.session is None:
            raise UsageError("nothing has been counted yet", "Call run or update first")
        return self.session

    def of_detections(
        self, source: str, class_names: Sequence[str], size: tuple[int, int]
    ) -> CountSession:
        """The session of detections of frames of `size`, (width, height), without a model."""
        self._check_open()
        if self.session is None:
            check_apart({"source": source}, self.written)
            self.session = CountSession(
                source,
                [],
                class_names,
                size,
                engine="recorded detections",
                sinks=self.sinks,
                saved=self.saved,
                schedule=self.schedule,
                starts_at=self.starts_at,
                **self.counting,
            )
        return self.session

    def of_frames(
        self, source: str, size: tuple[int, int], workers: int, epoch_ns: int | None, live: bool
    ) -> CountSession:
        """The session of a model and frames of `size`, (width, height)."""
        self._check_open()
        if self.session is not None:
            return self.session
        if self.detectors is None:
            self.detectors = ModelDetectors(
                self.model,
                size,
                imgsz=self.imgsz,
                workers=workers,
                decoding=self.decoding,
                limits=self.limits,
                class_names=self.class_names,
            )
        detectors, pool = self.detectors, self.detectors.pool
        check_apart({"source": source, "model": self.model}, self.written)
        session = self.session = CountSession(
            source,
            pool.workers,
            pool.metadata.class_names,
            size,
            model=os.fspath(self.model),
            engine=pool.engine_name,
            timing=pool.timing,
            filters=detectors.filters,
            sinks=self.sinks,
            saved=self.saved,
            schedule=self.schedule,
            epoch_ns=epoch_ns,
            starts_at=self.starts_at,
            **self.counting,
        )
        if are_numbered(pool.metadata.class_names) and not self.counting["any_class"]:
            session.warnings.append(f"the model's classes have no names. {GIVE_NAMES}{_OF_OTHERS}")
        if self.offload is not None:
            session.warnings += detectors.start_offloading(
                self.offload, live=live, on_notice=self.live.on_notice
            )
            session.detectors = detectors.workers
        return session

    def complete(self, report: Report) -> Report:
        """The report with what the server counted."""
        if self.detectors is None:
            return report
        warnings = (*report.warnings, *self.detectors.offload_warnings())
        return replace(report, offload=self.detectors.offload_report(), warnings=warnings)

    def close(self) -> None:
        """Free the engines; the session's totals are still there."""
        self._closed = True
        for one in (self.detectors, self.session):
            if one is not None:
                one.close()

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("the counter is closed", "Make a new Counter")
