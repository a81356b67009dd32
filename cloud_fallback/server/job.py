"""One frame on its way to a detector, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Literal

from ...edge_runtime.types import Detections
from ..wire.messages import Reason
from .batch_detection import Decode
from .metrics import Metrics

Left = Literal["left"]
"""The outcome of a frame whose client has gone: it is answered to nobody, and may be sent again."""


@dataclass(frozen=True)
class JobResult:
    """The outcome of a job: detections or a reason, and the time it waited and was worked on."""

    outcome: Detections | Reason | Left
    queue_s: float = 0.0
    model_s: float = 0.0


@dataclass(eq=False)
class Job:
    """One frame. `decode` runs in a thread, `finish` in the event loop, once unless it fails.

    Args:
        owner: its session.
        expires: when its answer is of no use any more, monotonic seconds.
        decode: gives its image.
        finish: takes its outcome.
        arrived: monotonic seconds.
        key: of its client: keys take turns, then the sessions of a key.
        size: in bytes, as it waits.
        pixels: of its image.
        charged: seconds of work that its key has been charged for it.
    """

    owner: Hashable
    expires: float
    decode: Decode
    finish: Callable[[JobResult], None]
    arrived: float
    key: Hashable = ""
    size: int = 0
    pixels: int = 0
    charged: float = 0.0

    def end(self, done: JobResult, metrics: Metrics) -> None:
        """Answer; if that fails, refuse: no detector stops for it and no frame goes unanswered."""
        for one in (done, JobResult("failed")):
            try:
                self.finish(one)
                return
            except Exception:
                metrics.fault("answering")
