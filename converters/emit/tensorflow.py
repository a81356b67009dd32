"""TensorFlow, imported late and kept quiet."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

from ...edge_runtime.errors import MissingExtraError
from ...edge_runtime.standard_error import quiet_stderr

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}


@contextlib.contextmanager
def quiet_tensorflow(*, training: bool = False) -> Iterator[Any]:
    """The tensorflow module, its notices silenced while the block runs.

    `training` leaves it the GPUs and the fast kernels whose last bits vary, as long as the process
    has not used TensorFlow without them.

    Raises:
        MissingExtraError: TensorFlow is not installed.
    """
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tensorflow = _import(training)
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield tensorflow
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _import(training: bool) -> Any:
    # Read once, when the library is loaded; a value set by the user stays.
    if training:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        # It says there that its fast kernels are on, whatever its level of logging is.
        with quiet_stderr():
            tensorflow = importlib.import_module("tensorflow")
    except ImportError as error:
        raise MissingExtraError("tensorflow", "convert", "Writing TFLite") from error
    # A conversion has no use for a GPU; without this it would take all of its memory.
    with contextlib.suppress(RuntimeError):
        if not training:
            tensorflow.config.set_visible_devices([], "GPU")
    return tensorflow
