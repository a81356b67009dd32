"""Models: from the name or file that the user gives to files that an engine can open."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tallylens import store
from tallylens.converters.formats import detect
from tallylens.edge_runtime.detection.model_variant import (
    LONGEST_SIDE,
    ModelVariant,
    fitting_input,
)
from tallylens.edge_runtime.detection.pipeline import usable_cores
from tallylens.edge_runtime.engines import Engine, open_engine
from tallylens.edge_runtime.engines.heads import renamed
from tallylens.edge_runtime.engines.onnx_file import read_onnx_metadata
from tallylens.edge_runtime.engines.open import MAX_MODEL_BYTES
from tallylens.edge_runtime.errors import ModelError, UnsupportedModelError, UsageError
from tallylens.extras import need_converters

__all__ = [
    "LONGEST_SIDE",
    "fitting_input",
    "model_variants",
    "open_to_measure",
    "ready_model",
    "runs_as_it_is",
]


def model_variants(
    model: str | os.PathLike[str],
    *,
    frame_size: tuple[int, int],
    imgsz: tuple[int, int] | None = None,
    smaller: bool = False,
    class_names: Sequence[str] | None = None,
) -> list[ModelVariant]:
    """The ready files and input sizes of `model` to open, largest first.

    Args:
        model: a file, or a name in the model store.
        frame_size: (width, height) of the frames to come.
        imgsz: (height, width) of the input; None takes the one that fits the frames.
        smaller: add smaller inputs for the governor, where the model can have them.
        class_names: replace those of the model.

    Raises:
        InputError, UsageError, MissingExtraError: as for `ready_model`.
    """
    path = ready_model(model, frame_size=frame_size, imgsz=imgsz)
    first = ModelVariant.fitting(path, frame_size) if imgsz is None else ModelVariant(path)
    variants = [first]
    if smaller and runs_as_it_is(store.resolve(model)):
        resized = [ModelVariant(path, size) for size in first.smaller_inputs()]
        variants += [variant for variant in resized if variant.can_open()]
    elif smaller:
        variants += [
            ModelVariant(ready_model(model, frame_size=frame_size, imgsz=size))
            for size in first.smaller_inputs()
        ]
    if class_names is None:
        return variants
    return [replace(variant, class_names=tuple(class_names)) for variant in variants]


def ready_model(
    model: str | os.PathLike[str],
    *,
    frame_size: tuple[int, int],
    imgsz: tuple[int, int] | None = None,
) -> Path:
    """The file to run for `model`; a checkpoint is converted once and cached.

    Args:
        model: a file, or a name in the model store.
        frame_size: (width, height) of the frames to come.
        imgsz: (height, width) of the input; None takes the one that fits the frames.

    Raises:
        InputError: the model is missing or cannot be used.
        UsageError: `imgsz` for a model that is converted already.
        MissingExtraError: a checkpoint, and the converters are not installed.
    """
    path = store.resolve(model)
    if not runs_as_it_is(path):
        return _converted(path, frame_size, imgsz)
    if imgsz is not None:
        raise UsageError(
            f"--imgsz has no effect on {path.name}, which is converted already",
            "Omit it (a .tflite is fitted to the frames), or use the checkpoint it was made from",
        )
    return path


def open_to_measure(
    model: str | os.PathLike[str],
    *,
    imgsz: tuple[int, int] | None = None,
    class_names: Sequence[str] | None = None,
) -> Engine:
    """An engine for any artifact, even one that cannot count on this machine.

    A checkpoint gets a square input of 640 pixels, the size at which models are compared. A Core ML
    package is evaluated op by op, which takes about a second per image. `class_names` replace those
    of the model.

    Raises:
        InputError, UsageError, MissingExtraError: as for `ready_model`.
    """
    path = store.resolve(model)
    if path.is_dir():
        from tallylens.converters.coreml_program.engine import CoreMLEngine

        engine = CoreMLEngine(path)
        engine.metadata = renamed(engine.metadata, class_names, str(path))
        return engine
    square = (LONGEST_SIDE, LONGEST_SIDE)
    return open_engine(
        ready_model(path, frame_size=square, imgsz=imgsz),
        num_threads=usable_cores(),
        class_names=class_names,
    )


def runs_as_it_is(path: Path) -> bool:
    """Whether an engine can open the file: a TFLite model, or an ONNX that tallylens wrote."""
    if path.is_dir():
        raise UnsupportedModelError(
            path, "Core ML packages run on Apple devices only", "Use the .tflite or .onnx file"
        )
    if _start(path)[4:8] == b"TFL3":
        return True
    # Its error says what else the file is, as for `tallylens convert`.
    if detect(path) == "checkpoint":
        return False
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise ModelError(path, f"larger than {MAX_MODEL_BYTES >> 20} MiB", "Use a smaller model")
    try:
        read_onnx_metadata(path.read_bytes(), str(path))
    except UnsupportedModelError:
        return False
    return True


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise ModelError(path, reason, "Check the path and its permissions") from error


def _converted(source: Path, frame_size: tuple[int, int], imgsz: tuple[int, int] | None) -> Path:
    """`source` as ONNX: converted in a second, and as fast here as float TFLite."""
    target = store.cached(source, {"imgsz": imgsz or f"fits {frame_size}"}, suffix=".onnx")
    if _is_whole(target):
        return target
    need_converters(f"converting {source.name}")
    from tallylens.converters.convert import convert
    from tallylens.converters.load import load

    if imgsz is None:
        imgsz = fitting_input(frame_size, max(load(source).metadata.strides))
    with tempfile.TemporaryDirectory(prefix="tallylens-") as folder:
        out = Path(folder)
        report = convert(source, out_dir=out, targets=["onnx"], input_size=imgsz, check=None)
        with store.replacing(target) as temporary:
            shutil.copyfile(report.path_of("onnx"), temporary)
    return target


def _is_whole(cached: Path) -> bool:
    """Whether a conversion exists, and was not cut off by a full disk or a power failure."""
    try:
        return cached.is_file() and runs_as_it_is(cached)
    except ModelError:
        return False
