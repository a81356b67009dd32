"""The service on many processes and machines, with Ray Serve.

Socket replicas submit frames to model replicas, which form batches. The state of a session is
saved in one actor before its client hears of it, so that any other socket replica can resume it.
The same actor gathers what each key uses and the metrics of all replicas.
"""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

from ...edge_runtime.errors import UsageError
from ..server.auth import check_secret, read_token_secret
from ..server.models import ModelInstances
from ..server.run import Address, bind_socket
from ..server.service import Settings
from .autoscaling import wanted_replicas
from .config import ClusterConfig, RemoteModel
from .detector_replica import DetectorReplica
from .ingress import REPORT_S, Ingress
from .local_cluster import LOOPBACK
from .remote import APPLICATION, DETECTOR, cluster_state, end_cluster_state

INGRESS = "ingress"
MAX_FRAMES = 64
EVERYWHERE = ("0.0.0.0", "::")
# Beyond the drain itself: the replica's reports, and the end of its server.
END_S = 15.0


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
        Ingress,
        name=INGRESS,
        num_replicas=sockets,
        ray_actor_options={"num_cpus": 0.1, "resources": _place(config.address.host)},
        health_check_period_s=2,
        graceful_shutdown_timeout_s=config.drain_delay_s + Settings().drain_s + END_S,
        graceful_shutdown_wait_loop_s=0.1,
    )
    return ingress.bind(config, model, detector.bind(config.model))


def _place(host: str) -> dict[str, float]:
    """Resources that only a machine with this address has: the one that asks for it."""
    if host in EVERYWHERE or not ray.is_initialized():
        return {}
    address = ray.util.get_node_ip_address()
    return {} if address == LOOPBACK else {f"node:{address}": 0.001}


def build(arguments: dict[str, str]) -> Any:
    """The application for a RayService: `model`, `keys`, `tls_cert`, `tls_key`, and the rest of
    `ClusterConfig`, as text.

    Raises:
        UsageError: without TLS on an address that others reach.
    """
    token_secret, most = arguments.get("token_secret"), arguments.get("most", "8")
    certificate, key = (arguments.get(name) for name in ("tls_cert", "tls_key"))
    address = Address(
        arguments.get("host", EVERYWHERE[0]),
        int(arguments.get("port", "8443")),
        Path(certificate) if certificate else None,
        Path(key) if key else None,
    )
    address.check()
    config = ClusterConfig(
        Path(arguments["model"]),
        Path(arguments["keys"]),
        address,
        tuple(arguments.get("origins", "").split()),
        check_secret(read_token_secret(Path(token_secret) if token_secret else None)),
        (int(arguments.get("sockets", "2")), int(arguments.get("detectors", "2"))),
        int(most),
        float(arguments.get("gpus", "0")),
        float(arguments.get("drain_delay", "0")),
    )
    return application(config)


def deploy(config: ClusterConfig) -> int:
    """Start everything on the cluster that Ray is connected to; returns the port when it is up.

    Raises:
        UsageError: without TLS on an address that others reach, or port 0 on another machine.
        UnavailableError: the port is in use.
    """
    config.address.check()
    with _reserved(config.address) as reserved:
        port = config.address.port or int(reserved.getsockname()[1])
        config = replace(config, address=replace(config.address, port=port))
        # The replicas listen themselves: Ray's proxies have other limits, and compress.
        serve.start(proxy_location="Disabled")
        serve.run(application(config), name=APPLICATION, route_prefix=None)
    return port


def _reserved(address: Address) -> socket.socket:
    """A socket that holds the port until the replicas do; it does not listen."""
    if ray.util.get_node_ip_address() != LOOPBACK:
        if not address.port:
            raise UsageError("port 0 on a cluster", "Choose a --port that is free everywhere")
        return socket.socket()
    with bind_socket(address) as probe:
        free = replace(address, port=int(probe.getsockname()[1]))
    return bind_socket(free, share_port=True)


def shutdown(drain_delay_s: float = 0.0) -> None:
    """Take everything down, once clients have been answered; the sockets end before the model."""
    state, patience_s = cluster_state(), drain_delay_s + Settings().drain_s + END_S
    ray.get(state.drain.remote())
    deadline = time.monotonic() + patience_s
    while not ray.get(state.drained.remote()) and time.monotonic() < deadline:
        time.sleep(REPORT_S / 4)
    serve.shutdown()
    end_cluster_state()
    ray.shutdown()
