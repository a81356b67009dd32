"""TFLite models on LiteRT (or its older names), with XNNPACK.

The interpreter refuses to run while a numpy view of its memory is alive, so its users copy each
head. This engine avoids the copy: its arrays over the same memory keep the interpreter alive
instead of the object whose references it counts. That is safe because shapes are static, so that
addresses change only in `allocate_tensors`, which runs once.
"""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MissingExtraError, ModelError, UsageError
from ..metadata import ModelMetadata, Quantization
from ..standard_error import quiet_stderr
from .engine import HeadSpec, TensorView
from .failure import runtime_failure
from .heads import Tensor, check_input, match_heads
from .tflite_boxes import ForeignModel, units_of
from .tflite_model import read_tflite
from .tflite_resize import for_size

# The maintained package first.
MODULES = (
    "ai_edge_litert.interpreter",
    "tflite_runtime.interpreter",
    "tensorflow.lite.python.interpreter",
)
_GRAY = 0.5  # of a float input; which image it is does not matter


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
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Load the model `data`, which was read from `path`.

        `input_size` is a (height, width) other than the file's own, in multiples of the stride.
        `class_names` replace those of the file. A model of another exporter that ends in decoded
        boxes runs too, at its own size.

        Raises:
            ModelError: the file is damaged, has custom operators, or contradicts its metadata.
            UsageError: the model cannot run at that size.
            MissingExtraError: no TFLite interpreter is installed.
        """
        shown = self._path = str(path)
        self.metadata: ModelMetadata
        self.metadata, foreign = read_tflite(data, shown, class_names)
        if input_size == self.metadata.input_size:
            input_size = None
        if input_size is not None:
            if foreign is not None:
                raise _fixed_size(self.metadata, input_size)
            data = _for_size(data, self.metadata, input_size)
            self.metadata = replace(self.metadata, input_size=input_size)
        self._interpreter = _load(data, shown, num_threads, input_size)
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if len(inputs) != 1:
            raise ModelError(shown, f"it has {len(inputs)} inputs", "Use a detector with one input")
        self._input_index = int(inputs[0]["index"])
        self.heads: list[HeadSpec]
        if foreign is not None:
            self.metadata = replace(self.metadata, quantization=_weights(self._interpreter))
            self._head_indices = [int(outputs[foreign.output]["index"])]
            self.heads = [foreign.head if foreign.units_known else self._measured(foreign)]
            return
        check_input(self.metadata, _tensor(inputs[0]), shown)
        order, self.heads = match_heads(self.metadata, [_tensor(one) for one in outputs], shown)
        self._head_indices = [int(outputs[position]["index"]) for position in order]

    def _measured(self, foreign: ForeignModel) -> HeadSpec:
        """The head with the units that one run on a gray image shows."""
        self.input[...] = _GRAY
        return foreign.with_units(
            units_of(foreign.head, self.run()[0], foreign.metadata.input_size)
        )

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


def _weights(interpreter: Any) -> Quantization:
    """The number format of the convolutions' weights, by the types of all tensors."""
    kernels = [one["dtype"] for one in interpreter.get_tensor_details() if len(one["shape"]) == 4]
    if np.int8 in kernels:
        return "int8"
    return "fp16" if np.float16 in kernels else "none"


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
        raise _fixed_size(metadata, size)
    return changed


def _fixed_size(metadata: ModelMetadata, size: tuple[int, int]) -> UsageError:
    return UsageError(
        f"the model's input of {metadata.input_size[0]}x{metadata.input_size[1]} cannot be "
        f"resized to {size[0]}x{size[1]}",
        f"Use multiples of {max(metadata.strides)}, or convert the checkpoint to that size",
    )


def _load(data: bytes, path: str, num_threads: int, size: tuple[int, int] | None) -> Any:
    module = find_interpreter()
    if module is None:
        raise MissingExtraError("ai-edge-litert", "all", "running a .tflite model")
    try:
        with quiet_stderr(), warnings.catch_warnings():
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
