"""The accelerators of this machine that can run a model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

CUDA_PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The environment variable with the GPUs that a process sees."""
DRIVER = Path("/proc/driver/nvidia/gpus")


def visible_gpus(environment: Mapping[str, str] = os.environ, driver: Path = DRIVER) -> list[str]:
    """The GPUs that ONNX Runtime may use here, as `CUDA_VISIBLE_DEVICES` names them.

    Args:
        environment: its variable limits them.
        driver: the folder in which NVIDIA's driver lists all of the machine.
    """
    import onnxruntime

    if not set(CUDA_PROVIDERS) & set(onnxruntime.get_available_providers()):
        return []
    return listed_gpus(environment, driver)


def listed_gpus(environment: Mapping[str, str], driver: Path) -> list[str]:
    """The GPUs that there are, whether or not ONNX Runtime can use them; see `visible_gpus`."""
    number = len(list(driver.iterdir())) if driver.is_dir() else 0
    if VISIBLE not in environment:
        return [str(index) for index in range(number)]
    found: list[str] = []
    for name in environment[VISIBLE].split(","):
        # CUDA ends the list at the first name of no GPU.
        if not name.strip() or name.strip() == "-1":
            break
        found.append(name.strip())
    return found[:number]
