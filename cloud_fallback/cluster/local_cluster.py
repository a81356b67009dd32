"""A Ray cluster on this machine, unreachable from others.

Ray runs code for any client of its ports. All of them are bound to 127.0.0.1, and each request
needs a token that only this process and its children know. Ray's own folder would be open to every
user of the machine, with sockets and frames in it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...edge_runtime.errors import UnavailableError

LOOPBACK = "127.0.0.1"
NAMESPACE = "tallylens"
# Only frames under way are in it.
OBJECT_STORE_BYTES = 256 << 20
_ENVIRONMENT = {
    # The setting with which Ray stays on the loopback address, the default on macOS and Windows.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def has_cluster() -> bool:
    """Whether the environment names a cluster (RAY_ADDRESS); one is never looked for."""
    return bool(os.environ.get("RAY_ADDRESS"))


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for `connect` until the end of the block."""
    # Paths of Unix sockets are 107 bytes at most, so that it is not in a deeper folder of TMPDIR.
    parent = Path("/tmp")
    with tempfile.TemporaryDirectory(
        prefix="tl-ray-", dir=parent if parent.is_dir() else None, ignore_cleanup_errors=True
    ) as folder:
        # Ray opens the folder that it is given to everyone: the one around it stays closed.
        yield Path(folder) / "ray"


def connect(folder: Path) -> None:
    """Connect to the cluster of RAY_ADDRESS, or start one that ends with this process.

    Its sockets and logs are in `folder`, which no other user may enter and whose path is short.

    Before anything else imports Ray, which reads its environment only then.
    """
    if has_cluster():
        connect_to()
        return
    os.environ.update(_ENVIRONMENT, RAY_AUTH_TOKEN=secrets.token_hex(32))
    import ray

    ray.init(
        address="local",
        namespace=NAMESPACE,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="warning",
        object_store_memory=OBJECT_STORE_BYTES,
        _temp_dir=str(folder),
    )


def connect_to() -> None:
    """Connect to the cluster of RAY_ADDRESS.

    Raises:
        UnavailableError: there is none, or it does not take its token.
    """
    import ray

    try:
        ray.init(namespace=NAMESPACE, log_to_driver=False, logging_level="warning")
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = str(error).strip().splitlines()
        raise UnavailableError(
            f"the cluster of RAY_ADDRESS cannot be reached ({reason[0] if reason else error!r})",
            "Check RAY_ADDRESS and the token, and that the cluster runs",
        ) from error


def cluster_environment() -> dict[str, str]:
    """The variables with which a process on this machine connects to the same cluster."""
    import ray

    return {"RAY_ADDRESS": str(ray.get_runtime_context().gcs_address)}


def keep_to_loopback() -> None:
    """In a replica on a local cluster: let its gRPC server listen on loopback only.

    Ray Serve binds it to all interfaces without asking for the token.
    """
    import grpc.aio
    import ray

    if ray.util.get_node_ip_address() != LOOPBACK:
        return
    server = type(grpc.aio.server())
    original = server.add_insecure_port
    if getattr(original, "keeps_to_loopback", False):
        return

    def add_insecure_port(self: Any, address: str) -> int:
        return int(original(self, address.replace("[::]:", f"{LOOPBACK}:")))

    add_insecure_port.keeps_to_loopback = True  # type: ignore[attr-defined]
    server.add_insecure_port = add_insecure_port
