"""`tallylens serve --ray`: the service on many processes and machines."""

from __future__ import annotations

import argparse
import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from tallylens.commands.serve_settings import address_of, token_secret_of, video_settings_of
from tallylens.interruption import SIGNALS

if TYPE_CHECKING:
    from tallylens.cloud_fallback.cluster.config import ClusterConfig
    from tallylens.cloud_fallback.jobs.extension import VideoExtension

MAX_END_S = 90.0


def serve_on_ray(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Deploy on Ray, and shut down in order at a signal."""
    import secrets

    from tallylens.extras import need_cluster

    need_cluster("serving on Ray")
    from tallylens.cloud_fallback.cluster.config import ClusterConfig
    from tallylens.cloud_fallback.cluster.local_cluster import connect, private_folder
    from tallylens.models import LONGEST_SIDE, ready_model

    address = address_of(options)
    extensions: tuple[Callable[[], VideoExtension], ...] = ()
    if options.videos is not None:
        _check_places(options)
        from tallylens.cloud_fallback.jobs.extension import VideoExtension
        from tallylens.job_model import job_model

        digest = job_model(options.model).digest
        extensions = (functools.partial(VideoExtension, video_settings_of(options), digest),)
    # One secret for all replicas: a token that one signs is checked by another.
    token_secret = token_secret_of(options) or secrets.token_bytes(32)
    model = ready_model(options.model, frame_size=(LONGEST_SIDE, LONGEST_SIDE))
    config = ClusterConfig(
        model.resolve(),
        options.keys.resolve(),
        address.resolved(),
        tuple(options.origin),
        token_secret,
        options.replicas or (2, 2),
        gpus=options.gpus or 0.0,
        drain_delay_s=options.drain_delay,
        proxies=tuple(options.trusted_proxy),
        extensions=extensions,
    )
    with private_folder() as folder:
        connect(folder)
        _deploy_until_signal(config, say, lambda: _cluster_workers(options))


def _check_places(options: argparse.Namespace) -> None:
    """Raise UsageError where each machine of a cluster would have videos of its own."""
    from tallylens.cloud_fallback.cluster.local_cluster import has_cluster
    from tallylens.edge_runtime.errors import UsageError

    database = video_settings_of(options).database or ""
    if has_cluster() and (options.store is None or not database.startswith("postgres")):
        raise UsageError(
            "--videos on the cluster of RAY_ADDRESS needs what its machines share",
            "Add --database postgresql://... and --store",
        )


@contextlib.contextmanager
def _cluster_workers(options: argparse.Namespace) -> Iterator[None]:
    """Workers of uploaded videos for the length of the block; the replicas run their model."""
    if options.videos is None:
        yield
        return
    import os

    from tallylens.cloud_fallback.cluster.local_cluster import cluster_environment
    from tallylens.commands.worker import start_workers

    settings = video_settings_of(options)
    with contextlib.closing(settings.open_database()) as database:
        os.environ.update(cluster_environment())
        supervisor = start_workers(
            settings, options.model, database, options.workers, options.plans, ray=True
        )
        try:
            yield
        finally:
            supervisor.stop()


def _deploy_until_signal(
    config: ClusterConfig,
    say: Callable[[str], None],
    workers: Callable[[], AbstractContextManager[None]],
) -> None:
    """Deploy on the connected cluster, and take everything down at a signal."""
    from tallylens.cloud_fallback.cluster.deployment import deploy, shutdown
    from tallylens.edge_runtime.errors import UnavailableError

    ended = threading.Event()
    for name in SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: ended.set())
    say(f"tallylens: listening on port {deploy(config)}")
    with workers():
        ended.wait()
    # In a thread: a call to a Ray that has failed may never return.
    ending = threading.Thread(target=shutdown, args=(config.drain_delay_s,), daemon=True)
    ending.start()
    ending.join(MAX_END_S + config.drain_delay_s)
    if ending.is_alive():
        raise UnavailableError("Ray did not end", "End its processes: ray stop --force")
