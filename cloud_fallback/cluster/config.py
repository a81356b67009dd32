"""The settings of a cluster, as its replicas receive them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...edge_runtime.metadata import ModelMetadata
from ..server.app import AppExtension
from ..server.models import BatchDetector
from ..server.run import Address


@dataclass(frozen=True)
class ClusterConfig:
    """The deployment: files, address and numbers of replicas.

    Args:
        model, keys: files, readable on every machine, as are those of TLS.
        address: where each socket replica listens; those of one machine share the port.
        origins: of web pages that may connect.
        proxies: addresses of proxies that may name their clients.
        extensions: each makes more of the application, in every socket replica.
        token_secret: signs the tokens of all replicas.
        replicas: of sockets and of the model.
        max_detectors: maximum number of model replicas under load.
        gpus: number, or share of one, per model replica.
        drain_delay_s: how long a replica that is to end still takes new clients.
    """

    model: Path
    keys: Path
    address: Address
    origins: tuple[str, ...] = ()
    token_secret: bytes | None = field(default=None, repr=False)
    replicas: tuple[int, int] = (2, 2)
    max_detectors: int = 8
    gpus: float = 0.0
    drain_delay_s: float = 0.0
    proxies: tuple[str, ...] = ()
    extensions: tuple[Callable[[], AppExtension], ...] = field(default=(), repr=False)


@dataclass
class RemoteModel:
    """Facts about a model whose instances run in other processes."""

    name: str
    digest: str
    engine: str
    metadata: ModelMetadata
    detectors: list[BatchDetector] = field(default_factory=list)
