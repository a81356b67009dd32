"""coremltools, imported late, quietly, and without the front ends that are not used here."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from ...edge_runtime.errors import MissingExtraError

# coremltools looks for each of these when it is imported: seconds, and warnings about versions.
_UNUSED = ("tensorflow", "torch", "torchvision", "torchaudio", "sklearn", "xgboost", "libsvm")


@contextlib.contextmanager
def quiet_coremltools() -> Iterator[Any]:
    """The coremltools module, its notices silenced while the block runs.

    Raises:
        MissingExtraError: coremltools is not installed.
    """
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    # Its progress bars go to stderr and cannot be turned off.
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield _import()
        finally:
            logger.setLevel(level)


def _import() -> Any:
    if "coremltools" in sys.modules:
        return sys.modules["coremltools"]
    logger = logging.getLogger("coremltools")
    absent: dict[str, Any] = {name: None for name in _UNUSED if name not in sys.modules}
    # None makes an import fail at once, so that coremltools continues without the package.
    sys.modules.update(absent)
    logger.disabled = True  # the package resets its own level while it is imported
    try:
        return importlib.import_module("coremltools")
    except ImportError as error:
        raise MissingExtraError("coremltools", "convert", "Core ML") from error
    finally:
        logger.disabled = False
        for name in absent:
            del sys.modules[name]
