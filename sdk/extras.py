"""Optional packages: checked before a long task starts, so that it does not fail halfway."""

from __future__ import annotations

import importlib.util
import sys

from tallylens.edge_runtime.errors import MissingExtraError

CONVERT_MODULES = {
    "onnx": "onnx",
    "onnx_ir": "onnx-ir",
    "onnxruntime": "onnxruntime",
    "tensorflow": "tensorflow",
    "pycocotools": "pycocotools",
    # coremltools does not run on Windows.
    **({} if sys.platform == "win32" else {"coremltools": "coremltools"}),
}
"""{module: package} of the extra `convert`."""

SERVE_MODULES = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "prometheus_client": "prometheus-client",
    "cryptography": "cryptography",
    "jwt": "pyjwt",
}
"""{module: package} of the extra `serve`."""

VIDEOS_MODULES = {
    "sqlalchemy": "sqlalchemy",
    "alembic": "alembic",
    "argon2": "argon2-cffi",
    "dbos": "dbos",
    "httpx": "httpx",
    "itsdangerous": "itsdangerous",
    "av": "av",
    "jinja2": "jinja2",
    "python_multipart": "python-multipart",
}
"""{module: package} of the extra `videos`."""

CLUSTER_MODULES = {"ray": "ray[serve]"}
"""{module: package} of the extra `cluster`."""

VIDEO_MODULES = {"av": "av"}
"""{module: package} of the extra `video`."""

HEIF_MODULES = {"PIL": "pillow", "pillow_heif": "pillow-heif"}
"""{module: package} of the extra `heif`."""

EXTRAS = {
    "convert": CONVERT_MODULES,
    "serve": SERVE_MODULES,
    "videos": VIDEOS_MODULES,
    "video": VIDEO_MODULES,
    "heif": HEIF_MODULES,
}
"""The extras that `doctor` checks: those that add features, without those of developers."""


def missing(modules: dict[str, str]) -> list[str]:
    """The packages whose modules are not installed; imports none of them."""
    return [
        package for module, package in modules.items() if importlib.util.find_spec(module) is None
    ]


def need_converters(purpose: str, *modules: str) -> None:
    """Raise MissingExtraError unless the modules of the extra `convert` are installed.

    Without `modules`, those that reading a model needs; TensorFlow is checked by the TFLite
    emitter.
    """
    wanted = modules or ("onnx", "onnx_ir", "onnxruntime")
    for package in missing({module: CONVERT_MODULES[module] for module in wanted}):
        raise MissingExtraError(package, "convert", purpose)


def need_server(purpose: str) -> None:
    """Raise MissingExtraError unless all packages of the extra `serve` are installed."""
    for package in missing(SERVE_MODULES):
        raise MissingExtraError(package, "serve", purpose)


def need_videos(purpose: str) -> None:
    """Raise MissingExtraError unless all packages of the extra `videos` are installed."""
    need_server(purpose)
    for package in missing(VIDEOS_MODULES):
        raise MissingExtraError(package, "videos", purpose)


def need_store(purpose: str) -> None:
    """Raise MissingExtraError unless the client of object stores is installed."""
    for package in missing({"obstore": "obstore"}):
        raise MissingExtraError(package, "store", purpose)


def need_cluster(purpose: str) -> None:
    """Raise MissingExtraError unless Ray is installed."""
    for package in missing(CLUSTER_MODULES):
        raise MissingExtraError(package, "cluster", purpose)
