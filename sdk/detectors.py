"""The detectors of a count: a pool of engines, the rate control that they follow, and the cloud."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tallylens.edge_runtime.core import CounterOptions, DecoderOptions
from tallylens.edge_runtime.detection.pipeline import Detects
from tallylens.edge_runtime.detection.pool import DetectorPool
from tallylens.edge_runtime.rate_control.rate_limits import RateLimits
from tallylens.edge_runtime.sources import Notice, no_notice
from tallylens.models import model_variants

if TYPE_CHECKING:
    from tallylens.cloud_fallback.client.offloader import Offloader, OffloadOptions


class ModelDetectors:
    """The detectors of one model for frames of one size; close it to free the engines.

    Args:
        model: a file, or a name in the model store.
        frame_size: (width, height) of the frames.
        imgsz: (height, width) of the input; None takes the one that fits the frames.
        workers: frames processed in parallel.
        decoding: thresholds of confidence and NMS.
        limits: rate and latency to keep.
        class_names: replace those of the model.

    Attributes:
        pool: the engines.
        filters: the rate control of these limits.

    Raises:
        InputError, UsageError, MissingExtraError: as for `models.ready_model`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        frame_size: tuple[int, int],
        *,
        imgsz: tuple[int, int] | None,
        workers: int,
        decoding: DecoderOptions,
        limits: RateLimits,
        class_names: Sequence[str] | None = None,
    ) -> None:
        variants = model_variants(
            model,
            frame_size=frame_size,
            imgsz=imgsz,
            smaller=limits.budget_ms is not None,
            class_names=class_names,
        )
        self.pool = pool = DetectorPool(variants, workers, decoding)
        governor = limits.governor(pool.sizes)
        pool.size_index = lambda: governor.level.size
        self.filters = limits.filters(governor)
        self._offloader: Offloader | None = None

    def start_offloading(
        self, options: OffloadOptions, *, live: bool, on_notice: Notice = no_notice
    ) -> list[str]:
        """Ask the cloud too from now on; returns warnings for the report.

        Args:
            options: where and when.
            live: frames come whether or not the last one is done.
            on_notice: receives sentences about a server that refuses this device.

        Raises:
            CloudError: the server refuses.
        """
        from tallylens.cloud_fallback.client.offloader import Offloader
        from tallylens.edge_runtime.files import sha256

        self._offloader = Offloader(
            self.pool.workers,
            self.pool.metadata.class_names,
            options,
            live=live,
            model_bytes=self.pool.model.stat().st_size,
            model_digest=sha256(self.pool.model),
            on_notice=on_notice,
        )
        if self._offloader.start():
            return []
        return ["the cloud cannot be reached; counting on this device alone"]

    @property
    def workers(self) -> Sequence[Detects]:
        """One detector per frame in progress: the pool's, or those that may ask the cloud."""
        return self.pool.workers if self._offloader is None else self._offloader.workers()

    def offload_report(self) -> dict[str, Any] | None:
        """Decisions and traffic of the cloud, None without one."""
        return None if self._offloader is None else self._offloader.report()

    def offload_warnings(self) -> list[str]:
        """Warnings of the cloud for the report, as of now."""
        return [] if self._offloader is None else self._offloader.warnings()

    def close(self) -> None:
        """Disconnect from the cloud and free the engines."""
        if self._offloader is not None:
            self._offloader.close()
        self.pool.close()


def decoder_options(counting: CounterOptions, iou: float | None, any_class: bool) -> DecoderOptions:
    """The thresholds of decoding that suit those of counting; `iou` None takes the default."""
    options = DecoderOptions(confidence=counting.low_confidence)
    if iou is not None:
        options = replace(options, iou=iou)
    return replace(options, cross_class_iou=options.iou) if any_class else options
