"""ONNX models on ONNX Runtime; inputs and outputs are bound once, so that runs do not allocate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MissingExtraError, ModelError, UsageError
from ..metadata import SERVER_PASS, ModelMetadata
from .engine import TensorView
from .failure import runtime_failure
from .heads import Tensor, check_input, match_heads, renamed
from .onnx_file import read_onnx_metadata

# Best first; if one cannot start, the CPU is used.
PROVIDERS = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "CoreMLExecutionProvider",
    "CPUExecutionProvider",
)
DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(int8)": "int8"}
FATAL_ONLY = 4


class OnnxEngine:
    """An ONNX model; see `Engine`. `name` includes the provider, as in onnxruntime-cpu."""

    def __init__(
        self,
        data: bytes,
        path: Path,
        *,
        num_threads: int = 1,
        providers: Sequence[str] | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Load the model `data`, which was read from `path`; `class_names` replace its own.

        Raises:
            ModelError: the file is damaged, or contradicts its metadata.
            MissingExtraError: onnxruntime is not installed.
            UsageError: a provider that this onnxruntime does not have.
        """
        shown = self._path = str(path)
        self.metadata: ModelMetadata = renamed(read_onnx_metadata(data, shown), class_names, shown)
        if any(one.name == SERVER_PASS for one in self.metadata.passes):
            raise ModelError(
                shown,
                "it takes batches, for a server",
                "Give it to tallylens serve, or convert without --server",
            )
        session = _load(data, shown, num_threads, providers)
        self.name = "onnxruntime-" + _short(session.get_providers()[0])
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1:
            raise ModelError(shown, f"it has {len(inputs)} inputs", "Use a detector with one input")
        image = _tensor(inputs[0])
        check_input(self.metadata, image, shown)
        found = [_tensor(output) for output in outputs]
        order, self.heads = match_heads(self.metadata, found, shown)
        if any(head.dtype != "float32" for head in self.heads):
            raise ModelError(shown, "the heads are not float32", "Export it with float32 outputs")
        self.input: TensorView = np.zeros(image.shape, image.dtype)
        tensors = [found[position] for position in order]
        self._outputs = [np.zeros(tensor.shape, tensor.dtype) for tensor in tensors]
        self._session: Any = session
        self._binding: Any = session.io_binding()
        _bind(self._binding.bind_input, inputs[0].name, self.input)
        for tensor, array in zip(tensors, self._outputs, strict=True):
            _bind(self._binding.bind_output, tensor.name, array)

    def run(self) -> list[npt.NDArray[np.generic]]:
        """Run one inference; returns the same arrays each time, valid until the next `run`.

        Raises:
            ModelError: the model fails inside the runtime.
        """
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise runtime_failure(self._path, "inference fails", error) from error
        return list(self._outputs)

    def close(self) -> None:
        """Release the session; the arrays stay readable."""
        self._binding = self._session = None

    def __enter__(self) -> OnnxEngine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _bind(bind: Any, name: str, array: npt.NDArray[Any]) -> None:
    bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)


def _load(data: bytes, path: str, num_threads: int, providers: Sequence[str] | None) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "convert", "running an .onnx model") from error
    chosen = _choose(onnxruntime.get_available_providers(), providers)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = FATAL_ONLY
    # Several sessions share the cores; a spinning thread would slow down the others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # A listed accelerator may still lack its driver; the CPU is always there.
    attempts = [chosen] if providers or len(chosen) == 1 else [chosen, chosen[-1:]]
    for attempt in attempts:
        try:
            # The runtime's own fallback prints on standard output, which would corrupt --json.
            return onnxruntime.InferenceSession(data, options, providers=attempt, enable_fallback=0)
        # The runtime's exceptions have no common base class, so all are caught.
        except Exception as error:
            failure = runtime_failure(path, "ONNX Runtime cannot load it", error)
            failure.__cause__ = error
    raise failure


def _choose(available: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    if wanted is None:
        return [provider for provider in PROVIDERS if provider in available]
    missing = [provider for provider in wanted if provider not in available]
    if missing:
        raise UsageError(
            f"onnxruntime on this machine lacks {', '.join(missing)}",
            f"Choose from {', '.join(available)}",
        )
    return list(wanted)


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider").lower()


def _tensor(value: Any) -> Tensor:
    # Only the batch size may be dynamic; engines run it with one image.
    shape = tuple(side if isinstance(side, int) else -1 for side in value.shape)
    if shape and shape[0] == -1:
        shape = (1, *shape[1:])
    return Tensor(value.name, shape, DTYPES.get(value.type, value.type))
