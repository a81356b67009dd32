"""Checkpoints to graphs: real ones against PyTorch's outputs, made-up ones against numpy."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from tallylens.converters.checkpoint.importer import load_checkpoint
from tallylens.converters.graph import DetectorGraph
from tallylens.edge_runtime.errors import ModelError, UnsupportedModelError, UsageError
from tests.support.tiny_graph import run_images
from tests.support.torch_checkpoint import Call, Named, SmallNet, Thing, TorchFile


def worst(heads: list[np.ndarray], golden: Any) -> float:
    """Largest difference from the goldens' (n, na, h, w, 5 + nc)."""
    errors = []
    for index, head in enumerate(heads):
        expected = golden[f"head{index}"]
        n, na, h, w, no = expected.shape
        errors.append(np.abs(head.reshape(n, na, no, h, w).transpose(0, 1, 3, 4, 2) - expected))
    assert f"head{len(heads)}" not in golden
    return max(float(error.max()) for error in errors)


def decode(graph: DetectorGraph, heads: list[np.ndarray]) -> np.ndarray:
    """YOLOv5's decoding (n, cells, 5 + nc) in pixels, from the metadata alone."""
    rows = []
    metadata = graph.metadata
    for head, stride, anchors in zip(heads, metadata.strides, metadata.anchors, strict=True):
        n, _, h, w = head.shape
        y = head.reshape(n, len(anchors), -1, h, w).transpose(0, 1, 3, 4, 2)
        y = 1 / (1 + np.exp(-y))
        grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1)
        xy = (y[..., :2] * 2 - 0.5 + grid) * stride
        wh = (y[..., 2:4] * 2) ** 2 * np.array(anchors)[:, None, None]
        rows.append(np.concatenate([xy, wh, y[..., 4:]], -1).reshape(n, -1, y.shape[-1]))
    return np.concatenate(rows, 1)


REAL = [
    ("v7-tiny-3class", (8, 16, 32), 3),
    ("leaky-tiny-2class", (8, 16, 32), 2),
    ("v5-focus-spp-tiny", (8, 16, 32), 3),
    ("p6-tiny-4class", (8, 16, 32, 64), 4),
]


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "strides", "classes"), REAL)
def test_heads_and_metadata_of_every_architecture(
    data: Path, name: str, strides: tuple[int, ...], classes: int
) -> None:
    path = data / "checkpoints" / f"{name}.pt"
    with np.load(path.with_suffix(".golden.npz")) as golden:
        graph = load_checkpoint(path, input_size=golden["images"].shape[2:])
        heads = run_images(graph, golden["images"])
        assert worst(heads, golden) <= 2e-4
        np.testing.assert_allclose(decode(graph, heads), golden["decoded"], rtol=1e-4, atol=1e-3)
    assert graph.metadata.strides == strides
    assert graph.metadata.head_names == tuple(f"head{stride}" for stride in strides)
    assert graph.metadata.class_names == tuple(f"thing{number}" for number in range(classes))
    assert graph.metadata.source_name == path.name
    assert graph.metadata.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.realdata
def test_official_yolov5n(data: Path) -> None:
    graph = load_checkpoint(data / "models" / "yolov5n.pt")
    with np.load(data / "models" / "yolov5n-bus.golden.npz") as golden:
        images = golden["images_u8"].transpose(2, 0, 1)[None].astype(np.float32) / 255
        assert worst(run_images(graph, images), golden) <= 2e-3
    assert graph.metadata.num_classes == 80
    assert graph.metadata.class_names[5] == "bus"
    assert graph.metadata.anchors[2] == ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0))
    assert graph.metadata.input_size == (640, 640)
    assert graph.metadata.weights_license == ""


@pytest.mark.slow
@pytest.mark.realdata
def test_reading_a_checkpoint_imports_nothing_that_it_names(data: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tallylens.converters.checkpoint.importer import load_checkpoint\n"
        "load_checkpoint(Path(sys.argv[1]), input_size=(64, 64))\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('torch', 'models')])\n"
    )
    arguments = [sys.executable, "-c", program, str(data / "models" / "yolov5n.pt")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def bottleneck(net: Any, add: bool = True) -> Any:
    first, run_first = net.conv(4, 4)
    second, run_second = net.conv(4, 4, 3)
    module = net.file.module("models.common.Bottleneck", {"cv1": first, "cv2": second}, add=add)
    return module, lambda x: (x if add else 0) + run_second(run_first(x))


def sequential(net: Any, count: int) -> Any:
    parts = [bottleneck(net) for _ in range(count)]

    def run_all(x: np.ndarray) -> np.ndarray:
        for _, function in parts:
            x = function(x)
        return x

    modules = [module for module, _ in parts]
    return net.file.module("torch.nn.modules.container.Sequential", modules), run_all


def c3(net: Any) -> Any:
    (a, run_a), (b, run_b), (c, run_c) = net.conv(4, 4), net.conv(4, 4), net.conv(8, 4)
    m, run_m = sequential(net, 2)
    module = net.file.module("models.common.C3", {"cv1": a, "cv2": b, "cv3": c, "m": m})
    return module, lambda x: run_c(np.concatenate([run_m(run_a(x)), run_b(x)]))


def bottleneck_csp(net: Any) -> Any:
    (a, run_a), (d, run_d) = net.conv(4, 4), net.conv(8, 4)
    (b, run_b), (c, run_c) = net.conv2d(4, 4, bias=False), net.conv2d(4, 4, bias=False)
    (bn, run_bn), (act, run_act) = net.batch_norm(8), net.act("LeakyReLU")
    m, run_m = sequential(net, 1)
    children = {"cv1": a, "cv2": b, "cv3": c, "cv4": d, "bn": bn, "act": act, "m": m}

    def run_csp(x: np.ndarray) -> np.ndarray:
        joined = np.concatenate([run_c(run_m(run_a(x))), run_b(x)])
        return np.asarray(run_d(run_act(run_bn(joined))))

    return net.file.module("models.common.BottleneckCSP", children), run_csp


def pool(x: np.ndarray, k: int) -> np.ndarray:
    p = k // 2
    x = np.pad(x, ((0, 0), (p, p), (p, p)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (1, 2))
    return np.asarray(windows.max((3, 4)))


def max_pool(net: Any, k: int) -> Any:
    return net.file.module(
        "torch.nn.modules.pooling.MaxPool2d",
        kernel_size=k,
        stride=1,
        padding=k // 2,
        dilation=1,
        ceil_mode=False,
    )


def spp(net: Any) -> Any:
    (a, run_a), (b, run_b) = net.conv(4, 4), net.conv(12, 4)
    m = net.file.module(
        "torch.nn.modules.container.ModuleList", [max_pool(net, 5), max_pool(net, 9)]
    )

    def run_spp(x: np.ndarray) -> np.ndarray:
        x = run_a(x)
        return np.asarray(run_b(np.concatenate([x, pool(x, 5), pool(x, 9)])))

    return net.file.module("models.common.SPP", {"cv1": a, "cv2": b, "m": m}), run_spp


def sppf(net: Any) -> Any:
    (a, run_a), (b, run_b) = net.conv(4, 4), net.conv(16, 4)

    def run_sppf(x: np.ndarray) -> np.ndarray:
        x = run_a(x)
        return np.asarray(run_b(np.concatenate([x, pool(x, 5), pool(x, 9), pool(x, 13)])))

    children = {"cv1": a, "cv2": b, "m": max_pool(net, 5)}
    return net.file.module("models.common.SPPF", children), run_sppf


def longer_sppf(net: Any) -> Any:
    """As newer packages write it: any number of pools, and the input added."""
    (a, run_a), (b, run_b) = net.conv(4, 4, act="Identity"), net.conv(12, 4)
    children = {"cv1": a, "cv2": b, "m": max_pool(net, 5)}
    module = net.file.module("ultralytics.nn.modules.block.SPPF", children, n=2, add=True)

    def run_sppf(x: np.ndarray) -> np.ndarray:
        y = run_a(x)
        return np.asarray(x + run_b(np.concatenate([y, pool(y, 5), pool(y, 9)])))

    return module, run_sppf


def mix_conv(net: Any) -> Any:
    (a, run_a), (b, run_b) = net.conv2d(4, 3, 1, bias=False), net.conv2d(4, 1, 3, bias=False)
    (bn, run_bn), (act, run_act) = net.batch_norm(4), net.act("SiLU")
    convs = net.file.module("torch.nn.modules.container.ModuleList", [a, b])
    module = net.file.module("models.experimental.MixConv2d", {"m": convs, "bn": bn, "act": act})
    return module, lambda x: run_act(run_bn(np.concatenate([run_a(x), run_b(x)])))


def other_norm(dotted: str, net: Any) -> Any:
    """A Conv whose batch norm is of another class, its statistics where that keeps them."""
    module, function = net.conv(4, 4)
    norm = module.state["_modules"]["bn"]
    norm.kind = Named(dotted)
    if dotted.startswith("torchvision"):
        norm.state["_buffers"] = norm.state.pop("_parameters")
        norm.state["_parameters"] = {}
    return module, function


def relu6(net: Any) -> Any:
    conv, run_conv = net.conv2d(4, 4)
    children = {"conv": conv, "act": net.file.module("torch.nn.modules.activation.ReLU6")}
    module = net.file.module("models.common.Conv", children)
    return module, lambda x: np.clip(run_conv(x), 0, 6)


MIDDLES: dict[str, Callable[[SmallNet], Any]] = {
    "Bottleneck": bottleneck,
    "Bottleneck without shortcut": lambda net: bottleneck(net, add=False),
    "C3": c3,
    "BottleneckCSP": bottleneck_csp,
    "SPP": spp,
    "SPPF": sppf,
    "SPPF of two pools": longer_sppf,
    "MixConv2d": mix_conv,
    "SyncBatchNorm": partial(other_norm, "torch.nn.modules.batchnorm.SyncBatchNorm"),
    "FrozenBatchNorm2d": partial(other_norm, "torchvision.ops.misc.FrozenBatchNorm2d"),
    "ReLU6": relu6,
    "fused": lambda net: net.conv(4, 4, 3, fused=True),
    "depthwise": lambda net: net.conv(4, 4, 3, groups=4, kind="DWConv"),
    **{
        kind: partial(SmallNet.conv, cin=4, cout=4, act=kind)
        for kind in ("Swish", "Hardswish", "OldHardswish", "ReLU", "LeakyReLU", "Identity")
    },
}


@pytest.mark.parametrize("kind", MIDDLES)
def test_modules_against_numpy(small_net: SmallNet, tmp_path: Path, kind: str) -> None:
    model = small_net.model(MIDDLES[kind])
    path = small_net.file.save(tmp_path / "net.pt", {"model": model})
    images = np.random.default_rng(1).random((1, 3, 64, 96), np.float32)
    (head,) = run_images(load_checkpoint(path, input_size=(64, 96)), images)
    np.testing.assert_allclose(head[0], small_net.oracle(images[0]), atol=1e-4)


def middle(net: Any) -> Any:
    return net.conv(4, 4)


def save(net: Any, path: Path, document: object) -> Path:
    saved: Path = net.file.save(path, document)
    return saved


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat", "dog"], ("cat", "dog")),
        ({0: "cat", 1: "dog"}, ("cat", "dog")),
        (None, ("class0", "class1")),
        ([], ("class0", "class1")),
    ],
)
def test_class_names(
    small_net: SmallNet, tmp_path: Path, names: object, expected: tuple[str, ...]
) -> None:
    path = save(small_net, tmp_path / "net.pt", {"model": small_net.model(middle, names=names)})
    metadata = load_checkpoint(path).metadata
    assert metadata.class_names == expected
    assert metadata.anchors == (((10.0, 13.0), (16.0, 30.0)),)  # cells of 8 pixels in the file


def test_names_that_do_not_fit_the_classes_are_refused(small_net: SmallNet, tmp_path: Path) -> None:
    path = save(small_net, tmp_path / "net.pt", {"model": small_net.model(middle, names=["cat"])})
    with pytest.raises(ModelError, match="class names do not fit"):
        load_checkpoint(path)


@pytest.mark.parametrize("pair", [False, True])
def test_smoothed_weights_are_preferred(small_net: SmallNet, tmp_path: Path, pair: bool) -> None:
    live = small_net.model(middle, names=["live", "live"])
    smoothed = small_net.model(middle, names=["smoothed", "smoothed"])
    document = {"epoch": 3, "model": live, "ema": (smoothed, 7) if pair else smoothed}
    graph = load_checkpoint(save(small_net, tmp_path / "net.pt", document), input_size=(64, 64))
    assert graph.metadata.class_names[0] == "smoothed"
    images = np.random.default_rng(1).random((1, 3, 64, 64), np.float32)
    np.testing.assert_allclose(
        run_images(graph, images)[0][0], small_net.oracle(images[0]), atol=1e-4
    )


def test_what_training_leaves_beside_the_model_is_passed_over(
    small_net: SmallNet, tmp_path: Path
) -> None:
    file = small_net.file
    document = {
        "model": small_net.model(middle),
        "license": "AGPL-3.0",
        "opt": Thing("argparse.Namespace", {"data": Call("pathlib.PosixPath", "coco")}),
        "best_fitness": Call(
            "numpy.core.multiarray.scalar",
            Call("numpy.dtype", "f8", False, True),
            Call("_codecs.encode", "\x00\x00\x00\x00\x00\x00\xe0?", "latin1"),
        ),
        "optimizer": {"state": {0: {"momentum_buffer": file.tensor(np.ones(3))}}},
    }
    graph = load_checkpoint(save(small_net, tmp_path / "net.pt", document))
    assert graph.metadata.weights_license == "AGPL-3.0"


@pytest.mark.parametrize("batch", [1, 4, None])
def test_batch(small_checkpoint: Path, batch: int | None) -> None:
    graph = load_checkpoint(small_checkpoint, input_size=(32, 64), batch=batch)
    count = batch or 3
    (head,) = run_images(graph, np.zeros((count, 3, 32, 64), np.float32))
    assert head.shape == (count, 14, 4, 8)


@pytest.mark.parametrize("size", [(0, 64), (64, 63), (64, -8), (1 << 20, 64)])
def test_impossible_input_sizes(small_checkpoint: Path, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="multiples of 8"):
        load_checkpoint(small_checkpoint, input_size=size)


def test_the_same_file_gives_the_same_bytes(small_checkpoint: Path) -> None:
    once, again = (
        ir.to_proto(load_checkpoint(small_checkpoint).model).SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert once == again


def test_only_weights(torch_file: TorchFile, tmp_path: Path) -> None:
    weights = {"model.0.conv.weight": torch_file.tensor(np.ones((2, 3, 1, 1), np.float32))}
    with pytest.raises(UnsupportedModelError, match="only weights"):
        load_checkpoint(torch_file.save(tmp_path / "net.pt", weights))


@pytest.mark.parametrize(
    ("dotted", "message"),
    [
        ("models.yolo.ClassificationModel", "a classification model"),
        ("models.common.AutoShape", "wrapped for PyTorch Hub"),
        ("ultralytics.nn.tasks.PoseModel", "a pose model"),
        ("ultralytics.nn.tasks.OBBModel", "a model of oriented boxes"),
        ("ultralytics.nn.tasks.RTDETRDetectionModel", "an RT-DETR model"),
        ("ultralytics.nn.tasks.WorldModel", "an open vocabulary"),
        ("models.yolo.DualDDetect", "a YOLOv9 model"),
        ("torch.storage._load_from_bytes", "holds torch.storage._load_from_bytes"),
    ],
)
def test_other_models_are_named(
    torch_file: TorchFile, tmp_path: Path, dotted: str, message: str
) -> None:
    path = torch_file.save(tmp_path / "net.pt", {"model": Thing(dotted, {})})
    with pytest.raises(UnsupportedModelError, match=message):
        load_checkpoint(path)


def test_diverged_weights_are_refused(small_net: SmallNet, tmp_path: Path) -> None:
    def diverged(net: Any) -> Any:
        module, function = net.conv(4, 4)
        weight = np.full((4, 4, 1, 1), np.nan, np.float32)
        module.state["_modules"]["conv"].state["_parameters"]["weight"] = net.file.tensor(weight)
        return module, function

    path = save(small_net, tmp_path / "net.pt", {"model": small_net.model(diverged)})
    with pytest.raises(ModelError, match="training diverged"):
        load_checkpoint(path)


def test_weights_that_do_not_fit_their_input_are_refused(
    small_net: SmallNet, tmp_path: Path
) -> None:
    path = save(
        small_net, tmp_path / "net.pt", {"model": small_net.model(lambda net: net.conv(5, 4))}
    )
    with pytest.raises(ModelError, match="the layers do not fit"):
        load_checkpoint(path)
