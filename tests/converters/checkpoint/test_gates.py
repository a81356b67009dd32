"""Gates of forks under the names that their authors gave them, against numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

from tallylens.converters.checkpoint.importer import load_checkpoint
from tallylens.edge_runtime.errors import UnsupportedModelError
from tests.support.torch_checkpoint import SmallNet

Run = Callable[[np.ndarray], np.ndarray]
Block = Callable[[SmallNet], tuple[Any, Run]]
CHANNELS, NARROW = SmallNet.CHANNELS, 2
NN = "torch.nn.modules"


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(x + 3, 0, 6) / 6)


def mean(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.mean((1, 2)))


def peak(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.max((1, 2)))


class Parts:
    """Modules of a gate, and the two layers as matrices."""

    def __init__(self, net: SmallNet) -> None:
        self.net, self.file = net, net.file
        self.first, self.second = net.normal(NARROW, CHANNELS), net.normal(CHANNELS, NARROW)
        self.relu, self.sigmoid = self.act("ReLU"), self.act("Sigmoid")
        self.average = self.pool("Avg")
        self.flatten = self.file.module(f"{NN}.flatten.Flatten", start_dim=1, end_dim=-1)

    def act(self, kind: str) -> Any:
        return self.file.module(f"{NN}.activation.{kind}")

    def pool(self, kind: str) -> Any:
        return self.file.module(f"{NN}.pooling.Adaptive{kind}Pool2d", output_size=1)

    def linear(self, weight: np.ndarray) -> Any:
        tensors = {"weight": weight, "bias": None}
        return self.file.module(f"{NN}.linear.Linear", tensors=tensors)

    def conv(self, weight: np.ndarray, padding: int = 0) -> Any:
        if weight.ndim == 2:
            weight = weight[:, :, None, None]
        return self.file.module(
            f"{NN}.conv.Conv2d",
            tensors={"weight": weight, "bias": None},
            stride=(1, 1),
            padding=(padding, padding),
            dilation=(1, 1),
            groups=1,
            padding_mode="zeros",
        )

    def in_row(self, *modules: Any) -> Any:
        return self.file.module(f"{NN}.container.Sequential", modules)

    def squeeze(self, pooled: np.ndarray) -> np.ndarray:
        return np.asarray(self.second @ np.maximum(self.first @ pooled, 0))

    def excited(self, x: np.ndarray, end: Run = sigmoid) -> np.ndarray:
        return np.asarray(x * end(self.squeeze(mean(x)))[:, None, None])

    def both(self, x: np.ndarray) -> np.ndarray:
        gate = sigmoid(self.squeeze(mean(x)) + self.squeeze(peak(x)))
        return np.asarray(x * gate[:, None, None])


def positions(x: np.ndarray, weight: np.ndarray, *, peak_first: bool = False) -> np.ndarray:
    """`x` times a gate of the mean and maximum over the channels, (1, 2, k, k) `weight`."""
    maps = [x.mean(0), x.max(0)]
    k = weight.shape[-1]
    stacked = np.pad(
        np.stack(maps[::-1] if peak_first else maps), ((0, 0), *[(k // 2, k // 2)] * 2)
    )
    windows = np.lib.stride_tricks.sliding_window_view(stacked, (k, k), (1, 2))
    return np.asarray(x * sigmoid(np.einsum("chwkl,ckl->hw", windows, weight[0])))


def se_layer(net: SmallNet) -> tuple[Any, Run]:
    p = Parts(net)
    fc = p.in_row(p.linear(p.first), p.relu, p.linear(p.second), p.sigmoid)
    return p.file.module("models.common.SELayer", {"avg_pool": p.average, "fc": fc}), p.excited


def se_of_letters(net: SmallNet) -> tuple[Any, Run]:
    p = Parts(net)
    children = {"avgpool": p.average, "l1": p.linear(p.first), "relu": p.relu}
    children |= {"l2": p.linear(p.second), "sig": p.sigmoid}
    return p.file.module("models.common.SE", children), p.excited


def se_in_another_order(net: SmallNet) -> tuple[Any, Run]:
    """torchvision's lists the layers before the functions."""
    p = Parts(net)
    children = {"avgpool": p.average, "fc1": p.conv(p.first), "fc2": p.conv(p.second)}
    children |= {"activation": p.relu, "scale_activation": p.act("Hardsigmoid")}
    module = p.file.module("torchvision.ops.misc.SqueezeExcitation", children)
    return module, lambda x: p.excited(x, hard_sigmoid)


def se_without_pool(net: SmallNet) -> tuple[Any, Run]:
    p = Parts(net)
    children = {"conv_reduce": p.conv(p.first), "act1": p.relu, "conv_expand": p.conv(p.second)}
    relu6 = p.act("ReLU6")
    children["gate"] = p.file.module("models.common.h_sigmoid", {"relu": relu6})
    module = p.file.module("timm.layers.SqueezeExcite", children)
    return module, lambda x: p.excited(x, hard_sigmoid)


def se_of_functions(net: SmallNet) -> tuple[Any, Run]:
    p = Parts(net)
    children = {"down": p.conv(p.first), "up": p.conv(p.second)}
    return p.file.module("models.common.SEBlock", children), p.excited


def se_bottleneck(net: SmallNet) -> tuple[Any, Run]:
    p = Parts(net)
    (cv1, run1), (cv2, run2) = net.conv(CHANNELS, CHANNELS), net.conv(CHANNELS, CHANNELS)
    children = {"cv1": cv1, "cv2": cv2, "avgpool": p.average, "l1": p.linear(p.first)}
    children |= {"relu": p.relu, "l2": p.linear(p.second), "sig": p.sigmoid}
    module = p.file.module("models.common.SEBottleneck", children, add=True)
    return module, lambda x: x + p.excited(run2(run1(x)))


def cbam_parts(net: SmallNet) -> tuple[Parts, Any, Any, np.ndarray]:
    p = Parts(net)
    weight = net.normal(1, 2, 3, 3)
    channels = {"avg_pool": p.average, "max_pool": p.pool("Max"), "f1": p.conv(p.first)}
    channels |= {"relu": p.relu, "f2": p.conv(p.second), "sigmoid": p.sigmoid}
    first = p.file.module("models.common.ChannelAttention", channels)
    children = {"conv": p.conv(weight, 1), "sigmoid": p.act("Sigmoid")}
    return p, first, p.file.module("models.common.SpatialAttention", children), weight


def cbam(net: SmallNet) -> tuple[Any, Run]:
    p, channels, spatial, weight = cbam_parts(net)
    children = {"spatial_attention": spatial, "channel_attention": channels}
    return p.file.module("models.common.CBAM", children), lambda x: positions(p.both(x), weight)


def cbam_of_one_layer(net: SmallNet) -> tuple[Any, Run]:
    """As in today's package: one convolution of the mean."""
    p, _, spatial, weight = cbam_parts(net)
    matrix = net.normal(CHANNELS, CHANNELS)
    children = {"pool": p.average, "fc": p.conv(matrix), "act": p.sigmoid}
    channels = p.file.module("ultralytics.nn.modules.conv.ChannelAttention", children)
    module = p.file.module(
        "ultralytics.nn.modules.conv.CBAM",
        {"channel_attention": channels, "spatial_attention": spatial},
    )

    def run(x: np.ndarray) -> np.ndarray:
        return positions(x * sigmoid(matrix @ mean(x))[:, None, None], weight)

    return module, run


def cbam_of_gates(net: SmallNet) -> tuple[Any, Run]:
    """Its authors' own: the maximum before the mean, functions in place of modules."""
    p = Parts(net)
    weight = net.normal(1, 2, 3, 3)
    mlp = p.in_row(p.flatten, p.linear(p.first), p.relu, p.linear(p.second))
    channels = p.file.module("x.ChannelGate", {"mlp": mlp}, pool_types=["avg", "max"])
    conv = p.file.module("x.BasicConv", {"conv": p.conv(weight, 1)})
    spatial = p.file.module(
        "x.SpatialGate", {"compress": p.file.module("x.ChannelPool"), "spatial": conv}
    )
    module = p.file.module(
        "x.CBAM", {"ChannelGate": channels, "SpatialGate": spatial}, no_spatial=False
    )
    return module, lambda x: positions(p.both(x), weight, peak_first=True)


def cbam_layer(net: SmallNet) -> tuple[Any, Run]:
    """All parts in one module."""
    p = Parts(net)
    weight = net.normal(1, 2, 3, 3)
    children = {"max_pool": p.pool("Max"), "avg_pool": p.average}
    children["mlp"] = p.in_row(p.conv(p.first), p.relu, p.conv(p.second))
    children |= {"conv": p.conv(weight, 1), "sigmoid": p.sigmoid}
    module = p.file.module("models.common.CBAMLayer", children)
    return module, lambda x: positions(p.both(x), weight, peak_first=True)


def cbam_c3(net: SmallNet) -> tuple[Any, Run]:
    p, channels, spatial, weight = cbam_parts(net)
    half = CHANNELS // 2
    (cv1, run1), (cv2, run2) = net.conv(CHANNELS, half), net.conv(CHANNELS, half)
    cv3, run3 = net.conv(CHANNELS, CHANNELS)
    children = {"cv1": cv1, "cv2": cv2, "cv3": cv3, "m": p.in_row()}
    children |= {"channel_attention": channels, "spatial_attention": spatial}
    module = p.file.module("models.common.CBAMC3", children)
    return module, lambda x: positions(p.both(run3(np.concatenate([run1(x), run2(x)]))), weight)


def eca(net: SmallNet) -> tuple[Any, Run]:
    p = Parts(net)
    kernel = net.normal(1, 1, 3)
    tensors = {"weight": kernel, "bias": None}
    conv = p.file.module(f"{NN}.conv.Conv1d", tensors=tensors, padding=(1,), stride=(1,))
    module = p.file.module(
        "models.common.eca_layer", {"avg_pool": p.average, "conv": conv, "sigmoid": p.sigmoid}
    )

    def run(x: np.ndarray) -> np.ndarray:
        mixed = np.correlate(np.pad(mean(x), 1), kernel[0, 0], "valid")
        return np.asarray(x * sigmoid(mixed)[:, None, None])

    return module, run


GATES: list[Block] = [
    *(se_layer, se_of_letters, se_in_another_order, se_without_pool, se_of_functions),
    *(se_bottleneck, cbam, cbam_of_one_layer, cbam_of_gates, cbam_layer, cbam_c3, eca),
]


@pytest.mark.parametrize("block", GATES, ids=lambda block: str(block.__name__))
def test_gates_compute_what_their_papers_say(
    small_net: SmallNet, tmp_path: Path, block: Block
) -> None:
    model = small_net.model(block)
    path = small_net.file.save(tmp_path / "gated.pt", {"model": model})
    graph = load_checkpoint(path, input_size=(64, 96))
    images = np.random.default_rng(1).random((1, 3, 64, 96), np.float32)
    session = ort.InferenceSession(ir.to_proto(graph.model).SerializeToString())
    (head,) = session.run(None, {"images": images})
    np.testing.assert_allclose(head[0], small_net.oracle(images[0]), atol=1e-4)


def without_end(p: Parts) -> Any:
    children = {"pool": p.average, "fc1": p.conv(p.first), "relu": p.relu, "fc2": p.conv(p.second)}
    return p.file.module("models.common.SE", children)


def of_three_layers(p: Parts) -> Any:
    layers = [p.conv(p.first), p.relu, p.conv(p.second), p.conv(p.second)]
    return p.file.module("models.common.SE", {"fc": p.in_row(*layers), "sigmoid": p.sigmoid})


def with_batch_norm(p: Parts) -> Any:
    norm, _ = p.net.batch_norm(NARROW)
    children = {"fc1": p.conv(p.first), "bn": norm, "relu": p.relu, "fc2": p.conv(p.second)}
    children["sigmoid"] = p.sigmoid
    return p.file.module("models.common.SE", children)


def pooled_to_seven(p: Parts) -> Any:
    pool = p.file.module(f"{NN}.pooling.AdaptiveAvgPool2d", output_size=7)
    fc = p.in_row(p.linear(p.first), p.relu, p.linear(p.second), p.sigmoid)
    return p.file.module("models.common.SELayer", {"avg_pool": pool, "fc": fc})


def cbam_of_two_channel_gates(p: Parts) -> Any:
    _, channels, _, _ = cbam_parts(p.net)
    children = {"channel_attention": channels, "spatial_attention": channels}
    return p.file.module("models.common.CBAM", children)


def c3_with_a_gate_somewhere(p: Parts) -> Any:
    (cv1, _), (cv2, _) = p.net.conv(CHANNELS, 2), p.net.conv(CHANNELS, 2)
    cv3, _ = p.net.conv(CHANNELS, CHANNELS)
    children = {"cv1": cv1, "cv2": cv2, "cv3": cv3, "m": p.in_row(), "se": se_layer(p.net)[0]}
    return p.file.module("models.common.C3SE", children)


@pytest.mark.parametrize(
    "block",
    [
        *(without_end, of_three_layers, with_batch_norm, pooled_to_seven),
        *(cbam_of_two_channel_gates, c3_with_a_gate_somewhere),
    ],
    ids=lambda block: str(block.__name__),
)
def test_what_can_be_read_in_two_ways_is_refused(
    small_net: SmallNet, tmp_path: Path, block: Callable[[Parts], Any]
) -> None:
    model = small_net.model(lambda net: (block(Parts(net)), lambda x: x))
    path = small_net.file.save(tmp_path / "gated.pt", {"model": model})
    with pytest.raises(UnsupportedModelError, match="can be read in more than one way"):
        load_checkpoint(path, input_size=(64, 96))
