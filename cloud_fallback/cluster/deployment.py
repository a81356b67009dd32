"""The same service over many processes and machines: Ray Serve.

Replicas with the sockets hand frames to replicas with the model, which form batches. Where a
session stands is written to one actor before its client is told, so that any other replica can go
on with it. Quotas are counted by each replica for itself.
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
from ..server.auth import Auth
from ..server.batcher import MAX_WAIT_S, Decode
from ..server.keys import KeyFile
from ..server.models import BatchDetector, ModelInstances
from ..server.run import Address
from ..server.service import Service
from ..wire.messages import Reason
from .autoscaling import Load, wanted_replicas
from .remote import APPLICATION, RemoteQueue, RemoteSessionStore, end_shelf

log = logging.getLogger(__name__)

DETECTOR, INGRESS = "detector", "ingress"
# A socket is one request to Ray, for as long as it is open.
SOCKETS = 2000
FRAMES = 64


@dataclass(frozen=True)
class ClusterConfig:
    """What is deployed: `replicas` are (sockets, models); `most` of each when there is more to do.

    Args:
        gpus: of a machine, for each replica of the model.
    """

    model: Path
    keys: Path
    address: Address
    origins: tuple[str, ...] = ()
    token_secret: bytes | None = field(default=None, repr=False)
    replicas: tuple[int, int] = (2, 2)
    most: int = 8
    gpus: float = 0.0


@dataclass
class Described:
    """A model that runs elsewhere."""

    name: str
    digest: str
    engine: str
    metadata: ModelMetadata
    detectors: list[BatchDetector] = field(default_factory=list)


class DetectorReplica:
    """One lane of the model; Ray gives it batches."""

    def __init__(self, model: Path) -> None:
        self._lanes = ModelInstances(model, 1)
        self._detector = self._lanes.detectors[0]
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
        images = [decode() for decode in decoders]
        try:
            found = iter(self._detector.detect([image for image in images if image is not None]))
        except Exception:
            # Another replica has the same model: it would fail there too.
            log.exception("fault while detecting")
            return ["undecodable" if image is None else "failed" for image in images]
        return ["undecodable" if image is None else next(found) for image in images]

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What `wanted_replicas` goes by; Ray asks."""
        return self._load.stats(time.monotonic())


class Ingress:
    """The sockets."""

    def __init__(self, plan: ClusterConfig, described: Described, handle: Any) -> None:
        # A ticket is known to who gave it out, which need not be who is shown it.
        auth = Auth(KeyFile(plan.keys), plan.origins, plan.token_secret, tickets=False)
        self._service = Service(
            described,
            auth,
            queue=lambda metrics: RemoteQueue(handle, metrics),
            vault=RemoteSessionStore(),
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        """What Ray serves."""
        return create_app(self._service)


def application(plan: ClusterConfig) -> Any:
    """The deployments, bound to each other."""
    lanes = ModelInstances(plan.model, 1)
    described = Described(lanes.name, lanes.digest, "ray", lanes.metadata)
    lanes.close()
    detectors, sockets = plan.replicas[1], plan.replicas[0]
    scaling = AutoscalingConfig(
        min_replicas=detectors,
        initial_replicas=detectors,
        max_replicas=max(plan.most, detectors),
        policy=AutoscalingPolicy(policy_function=wanted_replicas),
    )
    detector = serve.deployment(
        DetectorReplica,
        name=DETECTOR,
        autoscaling_config=scaling,
        max_ongoing_requests=FRAMES,
        ray_actor_options={"num_cpus": 0.1, "num_gpus": plan.gpus},
        health_check_period_s=2,
    )
    ingress = serve.deployment(
        serve.ingress()(Ingress),
        name=INGRESS,
        num_replicas=sockets,
        max_ongoing_requests=SOCKETS,
        ray_actor_options={"num_cpus": 0.1},
        health_check_period_s=2,
    )
    return ingress.bind(plan, described, detector.bind(plan.model))


def build(arguments: dict[str, str]) -> Any:
    """The application for a RayService: `model`, `keys`, and the rest of `ClusterConfig`, as text.

    Whoever is in front of Ray's proxies ends TLS.
    """
    token_secret = arguments.get("token_secret")
    plan = ClusterConfig(
        Path(arguments["model"]),
        Path(arguments["keys"]),
        Address(),
        tuple(arguments.get("origins", "").split()),
        Path(token_secret).read_bytes() if token_secret else None,
        (int(arguments.get("sockets", "2")), int(arguments.get("detectors", "2"))),
        int(arguments.get("most", "8")),
        float(arguments.get("gpus", "0")),
    )
    return application(plan)


def deploy(plan: ClusterConfig) -> None:
    """Start everything on the cluster that Ray finds, or on this machine; returns when it is up."""
    plan.address.check()
    if not ray.is_initialized():
        ray.init(namespace=APPLICATION, log_to_driver=False, logging_level="warning")
    address = plan.address
    serve.start(
        http_options=HTTPOptions(
            host=address.host,
            port=address.port,
            ssl_certfile=address.certificate and str(address.certificate),
            ssl_keyfile=address.key and str(address.key),
        )
    )
    serve.run(application(plan), name=APPLICATION, route_prefix="/")


def shutdown() -> None:
    """Take everything down."""
    serve.shutdown()
    end_shelf()
