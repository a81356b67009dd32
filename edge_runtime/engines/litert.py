"""TFLite models on LiteRT (or its older names), with XNNPACK.

The interpreter refuses to run while a numpy view of its memory is alive, so its users copy each
head. This engine avoids the copy: its arrays over the same memory keep the interpreter alive
instead of the object whose references it counts. That is safe because shapes are static, so that
addresses change only in `allocate_tensors`, which runs once.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MissingExtraError, ModelError, UsageError
from ..metadata import ModelMetadata
from .engine import TensorView
from .failure import runtime_failure
from .heads import Tensor, check_input, match_heads
from .tflite_model import read_tflite_metadata
from .tflite_resize import for_size

# The maintained package first.
MODULES = (
    "ai_edge_litert.interpreter",
    "tflite_runtime.interpreter",
    "tensorflow.lite.python.interpreter",
)
_stderr_lock = threading.Lock()


class LiteRTEngine:
    """A TFLite model; see `Engine`. Each instance holds its own copy of the activations."""

    name = "litert-xnnpack"

    def __init__(
        self,
        data: bytes,
        path: Path,
        *,
        num_threads: int = 1,
        input_size: tuple[int, int] | None = None,
    ) -> None:
        """Load the model `data`, which was read from `path`.

        `input_size` is a (height, width) other than the file's own, in multiples of the stride.

        Raises:
            ModelError: the file is damaged, has custom operators, or contradicts its metadata.
            UsageError: the model cannot run at that size.
            MissingExtraError: no TFLite interpreter is installed.
        """
        shown = self._path = str(path)
        self.metadata: ModelMetadata = read_tflite_metadata(data, shown)
        if input_size == self.metadata.input_size:
            input_size = None
        if input_size is not None:
            data = _for_size(data, self.metadata, input_size)
            self.metadata = replace(self.metadata, input_size=input_size)
        self._interpreter = _load(data, shown, num_threads, input_size)
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if len(inputs) != 1:
            raise ModelError(shown, f"it has {len(inputs)} inputs", "Use a detector with one input")
        check_input(self.metadata, _tensor(inputs[0]), shown)
        order, self.heads = match_heads(self.metadata, [_tensor(one) for one in outputs], shown)
        self._input_index = int(inputs[0]["index"])
        self._head_indices = [int(outputs[position]["index"]) for position in order]

    @property
    def input(self) -> TensorView:
        """The interpreter's own input tensor."""
        return _mapped(self._interpreter, self._input_index)

    def run(self) -> list[npt.NDArray[np.generic]]:
        """One inference; the arrays are the interpreter's memory, valid until the next `run`.

        Raises:
            ModelError: the model fails inside the interpreter.
        """
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise runtime_failure(self._path, "inference fails", error) from error
        return [_mapped(self._interpreter, index) for index in self._head_indices]

    def close(self) -> None:
        """Release the interpreter; arrays over its memory keep it alive."""
        self._interpreter = None

    def __enter__(self) -> LiteRTEngine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Memory:
    """The address of a tensor, and a reference that keeps it valid."""

    def __init__(self, view: npt.NDArray[Any], owner: object) -> None:
        self.__array_interface__ = view.__array_interface__
        self._owner = owner


def _mapped(interpreter: Any, index: int) -> npt.NDArray[Any]:
    return np.asarray(_Memory(interpreter.tensor(index)(), interpreter))


def find_interpreter() -> Any:
    """The first installed module that has a TFLite `Interpreter`, or None."""
    for name in MODULES:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None


def _for_size(data: bytes, metadata: ModelMetadata, size: tuple[int, int]) -> bytes:
    changed = for_size(data, metadata, size)
    if changed is None:
        raise UsageError(
            f"the model's input of {metadata.input_size[0]}x{metadata.input_size[1]} cannot be "
            f"resized to {size[0]}x{size[1]}",
            f"Use multiples of {max(metadata.strides)}, or convert the checkpoint to that size",
        )
    return changed


def _load(data: bytes, path: str, num_threads: int, size: tuple[int, int] | None) -> Any:
    module = find_interpreter()
    if module is None:
        raise MissingExtraError("ai-edge-litert", "all", "running a .tflite model")
    try:
        with _quiet_stderr(), warnings.catch_warnings():
            # TensorFlow's copy of the interpreter warns that it is deprecated.
            warnings.simplefilter("ignore")
            interpreter = module.Interpreter(model_content=data, num_threads=num_threads)
            if size is not None:
                (taken,) = interpreter.get_input_details()
                interpreter.resize_tensor_input(taken["index"], [1, *size, 3])
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError, MemoryError) as error:
        raise runtime_failure(path, "the interpreter cannot load it", error) from error
    return interpreter


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Suppress the interpreter's own lines on stderr, for which it has no setting."""
    with _stderr_lock:
        try:
            kept = os.dup(2)
        except OSError:
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(nowhere)
            os.close(kept)


def _tensor(details: Mapping[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    quantized = details["dtype"] in (np.uint8, np.int8)
    return Tensor(
        name=str(details["name"]),
        # A dynamic side is -1 in the signature; the shape holds the size that was allocated.
        shape=tuple(int(side) for side in details["shape_signature"]),
        dtype=np.dtype(details["dtype"]).name,
        scale=float(scale) if quantized else 1.0,
        zero_point=int(zero_point) if quantized else 0,
    )
