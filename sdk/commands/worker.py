"""`tallylens worker`: count uploaded videos on this machine, for a server here or elsewhere."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tallylens.commands.account_arguments import plans_of
from tallylens.commands.arguments import positive

if TYPE_CHECKING:
    from tallylens.cloud_fallback.jobs.database import Database
    from tallylens.cloud_fallback.jobs.job_count import JobModel
    from tallylens.cloud_fallback.jobs.settings import VideoSettings
    from tallylens.cloud_fallback.jobs.supervisor import Supervisor

NAME = "worker"
HELP = "Count uploaded videos for a server with --videos."
EXAMPLES = """examples:
  tallylens worker --videos ./videos --model yolov5n-int8.tflite
  TALLYLENS_DATABASE=postgresql://user:password@host/name \\
      tallylens worker --videos /mnt/videos --model yolov5n-int8.tflite --workers 8

Each worker is a process with one engine of one thread, or with a GPU and batches of frames where
the model is one of `convert --to onnx --server`. A worker that ends is started again, and another
one continues with its job. The model must be the server's."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default="yolov5n",
        help="model file (.onnx, .tflite, .pt), or a name in the model store (default: yolov5n)",
    )
    add_places(parser, required=True)
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes (default: one per core, or one per GPU for a model of convert --server)",
    )
    parser.add_argument(
        "--ray",
        action="store_true",
        help="let the replicas of serve --ray run the model; RAY_ADDRESS names their cluster",
    )
    parser.add_argument(
        "--migrate",
        action="store_true",
        help="bring the tables of the database to this version, and end; a server or worker that "
        "starts does the same",
    )
    # Of a process that another one started: it is one worker, and ends with that process.
    parser.add_argument("--parent", type=positive, help=argparse.SUPPRESS)


def add_places(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the options that say where the video service keeps what it has."""
    parser.add_argument(
        "--videos",
        type=Path,
        metavar="DIR",
        required=required,
        help="folder of uploaded videos and, without --database, of the database",
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="object store of complete videos, such as s3://bucket/folder; credentials are those "
        "of the environment (default: the folder)",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="postgresql://... for jobs and accounts; the variable TALLYLENS_DATABASE keeps its "
        "password out of the list of processes",
    )
    parser.add_argument(
        "--plans",
        type=Path,
        metavar="FILE",
        help="plans of accounts (TOML; default: free, month and year), the same for all processes",
    )


def run(options: argparse.Namespace) -> int:
    from tallylens.cloud_fallback.jobs.settings import DATABASE_VARIABLE, VideoSettings
    from tallylens.cloud_fallback.server.logs import log_as_json
    from tallylens.extras import need_store, need_videos

    need_videos("counting uploaded videos")
    log_as_json("info")
    database = options.database or os.environ.get(DATABASE_VARIABLE)
    settings = VideoSettings(options.videos, database, options.store, plans=plans_of(options))
    if options.store is not None:
        need_store("an object store")
    if options.migrate:
        return _migrate(settings)
    if options.ray:
        _check_cluster()
    if options.parent is None:
        return _supervise(options, settings)
    from tallylens.cloud_fallback.jobs.supervisor import ID_VARIABLE
    from tallylens.cloud_fallback.jobs.worker import Worker

    identifier = os.environ[ID_VARIABLE]
    Worker(settings, _model_of(options.model, options.ray), options.parent, identifier).run()
    return 0


def _migrate(settings: VideoSettings) -> int:
    """Bring the tables to this version."""
    import contextlib
    import sys

    from tallylens.cloud_fallback.jobs import schema

    with contextlib.closing(settings.open_database()) as database:
        schema.upgrade(database)
        print(f"tallylens: {database.shown} has the tables of this version", file=sys.stderr)
    return 0


def _model_of(model: str, ray: bool) -> JobModel:
    from tallylens.job_model import cluster_model, job_model

    return cluster_model(model) if ray else job_model(model)


def _check_cluster() -> None:
    from tallylens.edge_runtime.errors import UsageError
    from tallylens.extras import need_cluster

    need_cluster("asking the replicas of serve --ray")
    if not os.environ.get("RAY_ADDRESS"):
        raise UsageError("--ray needs the address of a cluster", "Set RAY_ADDRESS")


def start_workers(
    settings: VideoSettings,
    model: str,
    database: Database,
    number: int | None,
    plans: Path | None = None,
    *,
    ray: bool = False,
) -> Supervisor:
    """Start worker processes, which end with this one; None is one per core or GPU."""
    import sys

    from tallylens.cloud_fallback.jobs.settings import DATABASE_VARIABLE
    from tallylens.cloud_fallback.jobs.supervisor import Supervisor
    from tallylens.job_model import worker_environments

    command = [sys.executable, "-m", "tallylens", "worker", "--model", model]
    command += ["--videos", str(settings.folder), "--parent", str(os.getpid())]
    if settings.store is not None:
        command += ["--store", settings.store]
    if plans is not None:
        command += ["--plans", str(plans)]
    if ray:
        command.append("--ray")
    environments = worker_environments(_model_of(model, ray), number)
    if settings.database is not None:
        for one in environments:
            one[DATABASE_VARIABLE] = settings.database
    supervisor = Supervisor(command, environments, database)
    supervisor.start()
    return supervisor


def _supervise(options: argparse.Namespace, settings: VideoSettings) -> int:
    """Keep the workers running until SIGINT or SIGTERM."""
    import signal
    import threading

    from tallylens.cloud_fallback.jobs import schema

    # A model that cannot be used is reported here, once.
    _model_of(options.model, options.ray)
    database = settings.open_database()
    schema.upgrade(database)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    supervisor = start_workers(
        settings, options.model, database, options.workers, options.plans, ray=options.ray
    )
    ended.wait()
    supervisor.stop()
    database.close()
    return 0
