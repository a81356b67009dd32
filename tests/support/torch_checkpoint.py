"""Writes checkpoints as torch writes them, without torch, and runs models in plain numpy."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

STORAGES = {
    "float16": "HalfStorage",
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


class Named:
    """Pickled as the bare name of something in a module."""

    def __init__(self, dotted: str) -> None:
        self.module, _, self.name = dotted.rpartition(".")


class Call:
    """Pickled as a call: GLOBAL, arguments, REDUCE."""

    def __init__(self, dotted: str, *arguments: object) -> None:
        self.function, self.arguments = Named(dotted), arguments


class Thing:
    """Pickled as an object with attributes: GLOBAL, NEWOBJ, BUILD."""

    def __init__(self, dotted: str, state: Any) -> None:
        self.kind, self.state = Named(dotted), state


class Stored:
    """Pickled as a persistent id."""

    def __init__(self, identity: object) -> None:
        self.identity = identity


# The pickler in Python, whose `dispatch` and `write` typeshed does not declare.
PYTHON_PICKLER: Any = pickle._Pickler


class Pickler(PYTHON_PICKLER):  # type: ignore[misc]
    """Writes the four kinds above; everything else as Python does."""

    dispatch: ClassVar[dict[type, Any]] = PYTHON_PICKLER.dispatch.copy()

    def persistent_id(self, obj: object) -> object:
        return obj.identity if isinstance(obj, Stored) else None

    def save_named(self, obj: Named) -> None:
        self.write(b"c" + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)

    def save_call(self, obj: Call) -> None:
        self.save(obj.function)
        self.save(tuple(obj.arguments))
        self.write(pickle.REDUCE)
        self.memoize(obj)

    def save_thing(self, obj: Thing) -> None:
        self.save(obj.kind)
        self.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
        self.memoize(obj)
        self.save(obj.state)
        self.write(pickle.BUILD)

    dispatch[Named] = save_named
    dispatch[Call] = save_call
    dispatch[Thing] = save_thing


class TorchFile:
    """Collects tensors and writes the zip."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}

    def tensor(self, array: np.ndarray) -> Call:
        key = str(len(self.members))
        self.members[key] = np.ascontiguousarray(array).tobytes()
        identity = (
            "storage",
            Named(f"torch.{STORAGES[array.dtype.name]}"),
            key,
            "cpu",
            array.size,
        )
        strides = tuple(stride // array.itemsize for stride in array.strides)
        return self.view(identity, 0, array.shape, strides)

    def view(self, identity: object, offset: int, shape: object, strides: object) -> Call:
        hooks = Call("collections.OrderedDict")
        return Call(
            "torch._utils._rebuild_tensor_v2",
            Stored(identity),
            offset,
            shape,
            strides,
            False,
            hooks,
        )

    def module(
        self,
        kind: str,
        children: Mapping[str, object] | Iterable[object] = (),
        tensors: Mapping[str, np.ndarray | None] | None = None,
        **attributes: object,
    ) -> Thing:
        if not isinstance(children, Mapping):
            children = {str(number): child for number, child in enumerate(children)}
        state: dict[str, Any] = {
            "training": False,
            "_parameters": {
                name: None if array is None else self.tensor(array)
                for name, array in (tensors or {}).items()
            },
            "_buffers": {},
            "_modules": dict(children),
            **attributes,
        }
        return Thing(kind, state)

    def pickled(self, document: object) -> bytes:
        buffer = io.BytesIO()
        Pickler(buffer, 2).dump(document)
        return buffer.getvalue()

    def save(self, path: Path, document: object) -> Path:
        return self.save_pickle(path, self.pickled(document))

    def save_pickle(self, path: Path, data: bytes, **members: bytes) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("best/data.pkl", data)
            for key, content in self.members.items():
                archive.writestr(f"best/data/{key}", content)
            for name, content in members.items():
                archive.writestr(f"best/{name}", content)
        return path


class SmallNet:
    """A model of three layers: an 8x8 convolution of stride 8, `middle`, Detect with one head.

    `middle(net)` gives the module and the function of (channels, h, w) that it computes.
    """

    CHANNELS, CLASSES = 4, 2
    ANCHORS = np.array([[[1.25, 1.625], [2.0, 3.75]]], np.float16)  # in cells of 8 pixels

    def __init__(self, file: TorchFile, seed: int = 0) -> None:
        self.file = file
        self.random = np.random.default_rng(seed)
        self.oracle: Callable[[np.ndarray], np.ndarray]

    def normal(self, *shape: int) -> np.ndarray:
        return self.random.normal(0, 0.5, shape).astype(np.float32)

    def conv2d(
        self, cin: int, cout: int, k: int = 1, s: int = 1, bias: bool = True, groups: int = 1
    ) -> tuple[Thing, Callable[[np.ndarray], np.ndarray]]:
        weight = self.normal(cout, cin // groups, k, k)
        offset = self.normal(cout) if bias else None
        padding = k // 2 if s == 1 else 0
        module = self.file.module(
            "torch.nn.modules.conv.Conv2d",
            tensors={"weight": weight, "bias": offset},
            stride=(s, s),
            padding=(padding, padding),
            dilation=(1, 1),
            groups=groups,
            padding_mode="zeros",
        )
        return module, lambda x: convolve(x, weight, offset, s, padding, groups)

    def batch_norm(self, channels: int) -> tuple[Thing, Callable[[np.ndarray], np.ndarray]]:
        gain, shift, mean = (self.normal(channels) for _ in range(3))
        variance = np.abs(self.normal(channels)) + 0.1
        module = self.file.module(
            "torch.nn.modules.batchnorm.BatchNorm2d",
            tensors={
                "weight": gain,
                "bias": shift,
                "running_mean": mean,
                "running_var": variance,
            },
            eps=0.001,
        )

        def run(x: np.ndarray) -> np.ndarray:
            scale = gain / np.sqrt(variance + 0.001)
            scaled = (x - mean[:, None, None]) * scale[:, None, None]
            return np.asarray(scaled + shift[:, None, None])

        return module, run

    def act(self, kind: str = "SiLU") -> tuple[Thing, Callable[[np.ndarray], np.ndarray]]:
        modules = {
            "Identity": "torch.nn.modules.linear.Identity",
            "OldHardswish": "utils.activations.Hardswish",
            "Swish": "utils.activations.Swish",
        }
        dotted = modules.get(kind, f"torch.nn.modules.activation.{kind}")
        attributes: dict[str, Any] = {"negative_slope": 0.1} if kind == "LeakyReLU" else {}
        functions = {
            "SiLU": lambda x: x / (1 + np.exp(-x)),
            "Swish": lambda x: x / (1 + np.exp(-x)),
            "Hardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
            "OldHardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
            "ReLU": lambda x: np.maximum(x, 0),
            "LeakyReLU": lambda x: np.where(x > 0, x, 0.1 * x),
            "Identity": lambda x: x,
        }
        return self.file.module(dotted, **attributes), functions[kind]

    def conv(
        self,
        cin: int,
        cout: int,
        k: int = 1,
        s: int = 1,
        *,
        act: str = "SiLU",
        fused: bool = False,
        groups: int = 1,
        kind: str = "Conv",
    ) -> tuple[Thing, Callable[[np.ndarray], np.ndarray]]:
        conv, run_conv = self.conv2d(cin, cout, k, s, bias=fused, groups=groups)
        activation, run_act = self.act(act)
        if fused:
            children = {"conv": conv, "act": activation}
            return self.file.module(f"models.common.{kind}", children), lambda x: run_act(
                run_conv(x)
            )
        norm, run_norm = self.batch_norm(cout)
        children = {"conv": conv, "bn": norm, "act": activation}
        return (
            self.file.module(f"models.common.{kind}", children),
            lambda x: run_act(run_norm(run_conv(x))),
        )

    def model(self, middle: Callable[[SmallNet], Any], **attributes: Any) -> Thing:
        stem, run_stem = self.conv(3, self.CHANNELS, 8, 8)
        body, run_body = middle(self)
        outputs = 2 * (5 + self.CLASSES)
        head, run_head = self.conv2d(self.CHANNELS, outputs)
        stride = self.file.tensor(np.array([8.0], np.float32))
        detect = self.file.module(
            "models.yolo.Detect",
            {"m": self.file.module("torch.nn.modules.container.ModuleList", [head])},
            nc=self.CLASSES,
            stride=stride,
            i=2,
            f=[1],
        )
        detect.state["_buffers"]["anchors"] = self.file.tensor(self.ANCHORS)
        for number, layer in enumerate((stem, body)):
            layer.state.update(i=number, f=-1)
        layers = self.file.module("torch.nn.modules.container.Sequential", [stem, body, detect])
        self.oracle = lambda x: run_head(run_body(run_stem(x)))
        return self.file.module("models.yolo.DetectionModel", {"model": layers}, **attributes)


def convolve(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    stride: int,
    padding: int,
    groups: int,
) -> np.ndarray:
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (1, 2))
    windows = windows[:, ::stride, ::stride]
    parts = [
        np.einsum("chwkl,ockl->ohw", part, kernel)
        for part, kernel in zip(np.split(windows, groups), np.split(weight, groups), strict=True)
    ]
    y = np.concatenate(parts)
    return y if bias is None else y + bias[:, None, None]
