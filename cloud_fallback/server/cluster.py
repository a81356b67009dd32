"""The same service over many processes and machines: Ray Serve.

Replicas with the sockets hand frames to replicas with the model, which form batches. Where a
session stands is written to one actor before its client is told, so that any other replica can go
on with it. Quotas are counted by each replica for itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from fastapi import FastAPI
from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy, HTTPOptions

from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.types import Detections
from ..messages import Reason
from .app import create_app
from .auth import Auth
from .batcher import MAX_QUEUED, MAX_WAIT_S, Decode, Done, Job
from .keys import KeyFile
from .metrics import Metrics
from .models import BatchDetector, Lanes
from .run import Address
from .scaling import Load, wanted_replicas
from .service import Service
from .sessions import Saved
from .vault import Shelf

APPLICATION, SHELF, DETECTOR, INGRESS = "tallylens", "tallylens-shelf", "detector", "ingress"
# A socket is one request to Ray, for as long as it is open.
SOCKETS = 2000
FRAMES = 64
AGAIN_S = 0.1


@dataclass(frozen=True)
class Plan:
    """What is deployed: `replicas` are (sockets, models); `most` of each when there is more to do.

    Args:
        gpus: of a machine, for each replica of the model.
    """

    model: Path
    keys: Path
    address: Address
    origins: tuple[str, ...] = ()
    token_secret: bytes | None = None
    replicas: tuple[int, int] = (2, 2)
    most: int = 8
    gpus: float = 0.0


@dataclass
class Described:
    """A model that runs elsewhere."""

    name: str
    engine: str
    metadata: ModelMetadata
    detectors: list[BatchDetector] = field(default_factory=list)


class Detector:
    """One lane of the model; Ray gives it batches."""

    def __init__(self, model: Path) -> None:
        self._lanes = Lanes(model, 1)
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
        found = iter(self._detector.detect([image for image in images if image is not None]))
        return ["undecodable" if image is None else next(found) for image in images]

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What `wanted_replicas` goes by; Ray asks."""
        return self._load.stats(time.monotonic())


class RemoteQueue:
    """Hands frames to the model's replicas; one that dies costs a frame a second try."""

    def __init__(self, handle: Any, metrics: Metrics) -> None:
        self._handle, self._metrics = handle, metrics
        self._tasks: dict[Hashable, set[asyncio.Task[None]]] = defaultdict(set)
        self.queued = 0

    def start(self) -> None:
        """Nothing to begin: Ray is there."""

    async def stop(self) -> None:
        """Refuse what waits."""
        for owner in list(self._tasks):
            self.cancel(owner)

    def submit(self, job: Job) -> bool:
        """Send a frame on its way; False where too many are."""
        if self.queued >= MAX_QUEUED:
            return False
        self.queued += 1
        task = asyncio.create_task(self._finish(job))
        self._tasks[job.owner].add(task)
        task.add_done_callback(lambda done: self._done(job.owner, done))
        return True

    def cancel(self, owner: Hashable) -> None:
        """Refuse everything of a session that has ended."""
        for task in list(self._tasks.get(owner, ())):
            task.cancel()

    def _done(self, owner: Hashable, task: asyncio.Task[None]) -> None:
        self.queued -= 1
        self._tasks[owner].discard(task)
        if not self._tasks[owner]:
            del self._tasks[owner]

    async def _finish(self, job: Job) -> None:
        try:
            left = job.expires - time.monotonic()
            done = await asyncio.wait_for(self._ask(job), left)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            done = Done("late")
        try:
            job.finish(done)
        except Exception:
            self._metrics.fault("answering")

    async def _ask(self, job: Job) -> Done:
        while True:
            sent = time.monotonic()
            try:
                outcome, work_s = await self._handle.detect.remote((job.decode, time.time()))
            except Exception:
                # A replica that died, or a fault of the model: until its deadline, try another.
                self._metrics.fault("detecting")
                await asyncio.sleep(AGAIN_S)
                continue
            waited_s = time.monotonic() - sent - work_s
            self._metrics.batch(1, [waited_s])
            return Done(outcome, sent - job.arrived + waited_s, work_s)


class RemoteVault:
    """The shelf of sessions, as one replica sees it; without it sessions live on where they are."""

    def __init__(self) -> None:
        options = {"name": SHELF, "namespace": APPLICATION, "lifetime": "detached"}
        self._shelf = (
            ray.remote(Shelf)
            .options(**options, get_if_exists=True, num_cpus=0, max_restarts=-1)
            .remote()
        )

    async def take(self, session: str, resume_hash: str) -> Saved | None:
        """A session for who holds its token."""
        try:
            saved: Saved | None = await self._shelf.take.remote(session, resume_hash)
        except ray.exceptions.RayError:
            return None
        return saved

    async def keep(self, saved: Saved) -> bool:
        """Write a session down."""
        try:
            return bool(await self._shelf.keep.remote(saved))
        except ray.exceptions.RayError:
            return True


class Ingress:
    """The sockets."""

    def __init__(self, plan: Plan, described: Described, handle: Any) -> None:
        # A ticket is known to who gave it out, which need not be who is shown it.
        auth = Auth(KeyFile(plan.keys), plan.origins, plan.token_secret, tickets=False)
        self._service = Service(
            described,
            auth,
            queue=lambda metrics: RemoteQueue(handle, metrics),
            vault=RemoteVault(),
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        """What Ray serves."""
        return create_app(self._service)


def application(plan: Plan) -> Any:
    """The deployments, bound to each other."""
    lanes = Lanes(plan.model, 1)
    described = Described(lanes.name, "ray", lanes.metadata)
    lanes.close()
    detectors, sockets = plan.replicas[1], plan.replicas[0]
    scaling = AutoscalingConfig(
        min_replicas=detectors,
        initial_replicas=detectors,
        max_replicas=max(plan.most, detectors),
        policy=AutoscalingPolicy(policy_function=wanted_replicas),
    )
    detector = serve.deployment(
        Detector,
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
    """The application for a RayService: `model`, `keys`, and what else `Plan` has, as text.

    Whoever is in front of Ray's proxies ends TLS.
    """
    token_secret = arguments.get("token_secret")
    plan = Plan(
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


def deploy(plan: Plan) -> None:
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
    ray.kill(ray.get_actor(SHELF, APPLICATION))
