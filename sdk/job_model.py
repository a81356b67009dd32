"""The model that uploaded videos are counted with: as `tallylens count` would open it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tallylens import store
from tallylens.cloud_fallback.jobs.job_count import JobDetectors, JobModel
from tallylens.cloud_fallback.server.accelerators import VISIBLE, visible_gpus
from tallylens.cloud_fallback.server.models import ModelInstances, server_metadata
from tallylens.detectors import decoder_options
from tallylens.edge_runtime.core import CounterOptions
from tallylens.edge_runtime.detection.pipeline import usable_cores
from tallylens.edge_runtime.detection.pool import DetectorPool
from tallylens.edge_runtime.files import sha256
from tallylens.edge_runtime.metadata import ModelMetadata
from tallylens.models import LONGEST_SIDE, model_variants, ready_model, runs_as_it_is


def job_model(model: str | os.PathLike[str]) -> JobModel:
    """The model of a file, or of a name in the model store.

    Raises:
        InputError, MissingExtraError: it cannot be used.
    """
    path = store.resolve(model)
    metadata = server_metadata(path)
    if metadata is not None:
        return _batched(_shown(model), path, metadata)
    runs_as_it_is(path)

    def open_detectors(frame_size: tuple[int, int], any_class: bool) -> JobDetectors:
        decoding = decoder_options(CounterOptions(), None, any_class)
        return DetectorPool(model_variants(model, frame_size=frame_size), 1, decoding)

    return JobModel(_shown(model), sha256(path), open_detectors)


def cluster_model(model: str | os.PathLike[str]) -> JobModel:
    """The same model, run by the replicas of `serve --ray` in the cluster of RAY_ADDRESS.

    Raises:
        InputError, MissingExtraError: it cannot be used.
    """
    from tallylens.cloud_fallback.cluster.remote_detectors import RemoteCluster

    path = store.resolve(model)
    instances = ModelInstances(ready_model(model, frame_size=(LONGEST_SIDE, LONGEST_SIDE)), 1)
    metadata = instances.metadata
    instances.close()
    cluster = RemoteCluster()

    def open_detectors(frame_size: tuple[int, int], any_class: bool) -> JobDetectors:
        return cluster.open(metadata, frame_size, any_class)

    return JobModel(_shown(model), sha256(path), open_detectors, prepare=cluster.connect)


def _batched(name: str, path: Path, metadata: ModelMetadata) -> JobModel:
    from tallylens.cloud_fallback.jobs.batched_detectors import BatchedModel

    opened = BatchedModel(path, metadata)

    def open_detectors(_: tuple[int, int], any_class: bool) -> JobDetectors:
        return opened.open(decoder_options(CounterOptions(), None, any_class))

    return JobModel(name, sha256(path), open_detectors, True, opened.prepare)


def worker_environments(
    model: JobModel, number: int | None, environment: Mapping[str, str] = os.environ
) -> list[dict[str, str]]:
    """The environment of each worker process.

    Args:
        model: what they count with.
        number: of workers; None takes one per core, or one per GPU for a model that takes batches
            (one in all where there is none: it uses all cores).
        environment: of this process.
    """
    gpus = visible_gpus(environment) if model.in_batches else []
    if number is None:
        number = (len(gpus) or 1) if model.in_batches else usable_cores()
    return [
        {**environment, **({VISIBLE: gpus[index % len(gpus)]} if gpus else {})}
        for index in range(number)
    ]


def _shown(model: str | os.PathLike[str]) -> str:
    """The name of the model in reports, without folders of this machine."""
    return Path(model).name
