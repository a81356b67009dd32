"""The model that uploaded videos are counted with: as `tallylens count` would open it."""

from __future__ import annotations

import os
from pathlib import Path

from tallylens import store
from tallylens.cloud_fallback.jobs.job_count import JobModel
from tallylens.detectors import decoder_options
from tallylens.edge_runtime.core import CounterOptions
from tallylens.edge_runtime.detection.pool import DetectorPool
from tallylens.edge_runtime.files import sha256
from tallylens.models import model_variants, runs_as_it_is


def job_model(model: str | os.PathLike[str]) -> JobModel:
    """The model of a file, or of a name in the model store.

    Raises:
        InputError, MissingExtraError: it cannot be used.
    """
    path = store.resolve(model)
    runs_as_it_is(path)

    def open_detectors(frame_size: tuple[int, int], any_class: bool) -> DetectorPool:
        decoding = decoder_options(CounterOptions(), None, any_class)
        return DetectorPool(model_variants(model, frame_size=frame_size), 1, decoding)

    return JobModel(_shown(model), sha256(path), open_detectors)


def _shown(model: str | os.PathLike[str]) -> str:
    """The name of the model in reports, without folders of this machine."""
    return Path(model).name
