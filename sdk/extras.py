"""What is installed beyond the base, told before a long task fails on it."""

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
    # Core ML packages are neither written nor read on Windows.
    **({} if sys.platform == "win32" else {"coremltools": "coremltools"}),
}
"""Module to package, of the extra `convert`."""

SERVE_MODULES = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "limits": "limits",
    "prometheus_client": "prometheus-client",
    "cryptography": "cryptography",
    "jwt": "pyjwt",
}
"""The same of the extra `serve`."""

CLUSTER_MODULES = {"ray": "ray[serve]"}
"""The same of the extra `cluster`."""

EXTRAS = {"convert": CONVERT_MODULES, "serve": SERVE_MODULES}
"""What `doctor` looks for: the extras that bring abilities, not those of developers."""


def missing(modules: dict[str, str]) -> list[str]:
    """The packages whose modules cannot be found; nothing is imported."""
    return [
        package for module, package in modules.items() if importlib.util.find_spec(module) is None
    ]


def need_converters(purpose: str, *modules: str) -> None:
    """Raise MissingExtraError unless the modules (by default those of reading a model) are there.

    TensorFlow is asked for by the TFLite emitter only.
    """
    wanted = modules or ("onnx", "onnx_ir", "onnxruntime")
    for package in missing({module: CONVERT_MODULES[module] for module in wanted}):
        raise MissingExtraError(package, "convert", purpose)


def need_server(purpose: str) -> None:
    """Raise MissingExtraError unless everything that serving takes is there."""
    for package in missing(SERVE_MODULES):
        raise MissingExtraError(package, "serve", purpose)


def need_cluster(purpose: str) -> None:
    """Raise MissingExtraError unless Ray is there."""
    for package in missing(CLUSTER_MODULES):
        raise MissingExtraError(package, "cluster", purpose)
