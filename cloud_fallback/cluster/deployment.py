"""The service on many processes and machines, with Ray Serve.

Socket replicas submit frames to model replicas, which form batches. The state of a session is
saved in one actor before its client hears of it, so that any other socket replica can resume it.
Quotas are counted by each replica for itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from fastapi import FastAPI
from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy, HTTPOptions

from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.types import Detections
from ..server.app import create_app
from ..server.auth import Auth, check_secret, read_token_secret
from ..server.batch_detection import Decode, decode_safely, detect_each
from ..server.batcher import MAX_WAIT_S
from ..server.keys import KeyFile
from ..server.models import BatchDetector, ModelInstances
from ..server.run import Address
from ..server.service import Service
from ..wire.messages import Reason
from .autoscaling import Load, wanted_replicas
from .remote import APPLICATION, RemoteQueue, RemoteSessionStore, end_session_store

log = logging.getLogger(__name__)

DETECTOR, INGRESS = "detector", "ingress"
# A websocket is one request to Ray, for as long as it is open.
MAX_SOCKETS = 2000
MAX_FRAMES = 64


@dataclass(frozen=True)
class ClusterConfig:
    """The deployment: files, address and numbers of replicas.

    Args:
        model, keys: files, readable on every machine.
        address: where to listen.
        origins: of web pages that may connect.
        token_secret: signs the tokens of all replicas.
        replicas: of sockets and of the model.
        max_detectors: maximum number of model replicas under load.
        gpus: number, or share of one, per model replica.
    """

    model: Path
    keys: Path
    address: Address
    origins: tuple[str, ...] = ()
    token_secret: bytes | None = field(default=None, repr=False)
    replicas: tuple[int, int] = (2, 2)
    max_detectors: int = 8
    gpus: float = 0.0


@dataclass
class RemoteModel:
    """Facts about a model whose instances run in other processes."""

    name: str
    digest: str
    engine: str
    metadata: ModelMetadata
    detectors: list[BatchDetector] = field(default_factory=list)


class DetectorReplica:
    """One instance of the model; Ray gives it batches."""

    def __init__(self, model: Path) -> None:
        self._instances = ModelInstances(model, 1)
        self._detector = self._instances.detectors[0]
        self._load = Load(time.monotonic())
        self.detect.set_max_batch_size(self._detector.max_batch)

    @serve.batch(  # type: ignore[untyped-decorator]
        max_batch_size=1, batch_wait_timeout_s=MAX_WAIT_S
    )
    async def detect(self, frames: list[tuple[Decode, float]]) -> list[tuple[Any, float]]:
        """Outcome and seconds of work for each (decode, unix time of arrival)."""
        begun = time.monotonic()
        self._load.waited(max(time.time() - arrived for _, arrived in frames))
        outcomes = await asyncio.to_thread(self._work, [decode for decode, _ in frames])
        spent = time.monotonic() - begun
        self._load.worked(spent)
        return [(outcome, spent) for outcome in outcomes]

    def _work(self, decoders: Sequence[Decode]) -> list[Detections | Reason]:
        images = [decode_safely(decode, _fault) for decode in decoders]
        return detect_each(self._detector, images, _fault)

    def record_autoscaling_stats(self) -> dict[str, float]:
        """The load since the last call, for `wanted_replicas`; Ray calls it."""
        return self._load.stats(time.monotonic())


def _fault(where: str) -> None:
    log.exception("fault while %s", where)


class Ingress:
    """One replica with the websockets."""

    def __init__(self, config: ClusterConfig, model: RemoteModel, handle: Any) -> None:
        # A ticket is known only to the replica that issued it, so there are none.
        auth = Auth(KeyFile(config.keys), config.origins, config.token_secret, tickets=False)
        self._service = Service(
            model,
            auth,
            queue=lambda metrics: RemoteQueue(handle, metrics),
            store=RemoteSessionStore(),
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The application that Ray serves."""
        return create_app(self._service)


def application(config: ClusterConfig) -> Any:
    """The deployments of the service, bound to each other."""
    instances = ModelInstances(config.model, 1)
    model = RemoteModel(instances.name, instances.digest, "ray", instances.metadata)
    instances.close()
    detectors, sockets = config.replicas[1], config.replicas[0]
    scaling = AutoscalingConfig(
        min_replicas=detectors,
        initial_replicas=detectors,
        max_replicas=max(config.max_detectors, detectors),
        policy=AutoscalingPolicy(policy_function=wanted_replicas),
    )
    detector = serve.deployment(
        DetectorReplica,
        name=DETECTOR,
        autoscaling_config=scaling,
        max_ongoing_requests=MAX_FRAMES,
        ray_actor_options={"num_cpus": 0.1, "num_gpus": config.gpus},
        health_check_period_s=2,
    )
    ingress = serve.deployment(
        serve.ingress()(Ingress),
        name=INGRESS,
        num_replicas=sockets,
        max_ongoing_requests=MAX_SOCKETS,
        ray_actor_options={"num_cpus": 0.1},
        health_check_period_s=2,
    )
    return ingress.bind(config, model, detector.bind(config.model))


def build(arguments: dict[str, str]) -> Any:
    """The application for a RayService: `model`, `keys`, and the rest of `ClusterConfig`, as text.

    TLS ends in front of Ray's proxies.
    """
    token_secret = arguments.get("token_secret")
    config = ClusterConfig(
        Path(arguments["model"]),
        Path(arguments["keys"]),
        Address(),
        tuple(arguments.get("origins", "").split()),
        check_secret(read_token_secret(Path(token_secret) if token_secret else None)),
        (int(arguments.get("sockets", "2")), int(arguments.get("detectors", "2"))),
        int(arguments.get("most", "8")),
        float(arguments.get("gpus", "0")),
    )
    return application(config)


def deploy(config: ClusterConfig) -> None:
    """Start everything on the cluster that Ray finds, or on this machine; returns when it is up."""
    config.address.check()
    if not ray.is_initialized():
        ray.init(namespace=APPLICATION, log_to_driver=False, logging_level="warning")
    address = config.address
    serve.start(
        http_options=HTTPOptions(
            host=address.host,
            port=address.port,
            ssl_certfile=address.certificate and str(address.certificate),
            ssl_keyfile=address.key and str(address.key),
        )
    )
    serve.run(application(config), name=APPLICATION, route_prefix="/")


def shutdown() -> None:
    """Take everything down."""
    serve.shutdown()
    end_session_store()
