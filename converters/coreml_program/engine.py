"""An .mlpackage as an engine: the evaluator anywhere, Core ML itself on a Mac."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...edge_runtime.engines.failure import runtime_failure
from ...edge_runtime.engines.heads import Tensor, match_heads
from ...edge_runtime.errors import MissingExtraError, UnsupportedModelError
from ...edge_runtime.metadata import ModelMetadata
from .coremltools import quiet_coremltools
from .evaluator import Evaluator
from .package import Package, read_package

Array = npt.NDArray[Any]


class CoreMLEngine:
    """A package in the evaluator; see `Engine`. Takes pixels as they are, uint8 from 0 to 255."""

    name = "coreml-evaluator"

    def __init__(self, path: Path) -> None:
        """Read the package.

        Raises:
            ModelError: damaged, or it contradicts its metadata.
            UnsupportedModelError: not ours, an unknown op, or it ends in boxes instead of heads.
            MissingExtraError: coremltools or ONNX Runtime is not installed.
        """
        package = _with_heads(read_package(path))
        self.metadata: ModelMetadata = package.metadata
        self._evaluator = Evaluator(package)
        outputs = self._evaluator.outputs
        tensors = [Tensor(op.output, op.shape, op.dtype.name) for op in outputs]
        self._order, self.heads = match_heads(self.metadata, tensors, str(path))
        self.input: Array = np.zeros((1, 3, *self.metadata.input_size), np.uint8)

    def run(self) -> list[npt.NDArray[np.generic]]:
        """One inference, in about a second."""
        found = self._evaluator.run(self.input)
        return [np.ascontiguousarray(found[position]) for position in self._order]

    def close(self) -> None:
        """Nothing is held that Python does not free."""

    def __enter__(self) -> CoreMLEngine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class CoreMLDeviceEngine(CoreMLEngine):
    """The same package run by Core ML itself; on macOS only."""

    name = "coreml-device"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = str(path)
        with quiet_coremltools() as ct:
            try:
                self._model = ct.models.MLModel(self._path)
            except Exception as error:
                raise runtime_failure(self._path, "Core ML cannot load it", error) from error

    def run(self) -> list[npt.NDArray[np.generic]]:
        """One prediction on the device."""
        try:
            from PIL import Image
        except ImportError as error:
            raise MissingExtraError("pillow", "convert", "Core ML's own prediction") from error
        picture = Image.fromarray(np.ascontiguousarray(self.input[0].transpose(1, 2, 0)))
        try:
            found = self._model.predict({self._evaluator.program.input_name: picture})
        except Exception as error:
            raise runtime_failure(self._path, "it fails while it runs", error) from error
        return [np.ascontiguousarray(found[head.name], np.float32) for head in self.heads]


def _with_heads(package: Package) -> Package:
    if package.is_pipeline:
        raise UnsupportedModelError(
            package.path,
            "a package that ends in non-maximum suppression, without raw head outputs",
            "Convert without --nms",
        )
    return package
