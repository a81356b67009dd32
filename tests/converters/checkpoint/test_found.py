"""Models under the keys, in the wrappers and beside the data of other projects' checkpoints."""

from __future__ import annotations

import argparse
import collections
import io
import logging
import random
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens.converters.checkpoint.importer import checkpoint_training, load_checkpoint
from tallylens.converters.load import load
from tallylens.edge_runtime.errors import ModelError, UnsupportedModelError
from tests.support.tiny_graph import run_images
from tests.support.torch_checkpoint import Call, Named, Pickler, SmallNet, Thing


def middle(net: SmallNet) -> Any:
    return net.conv(4, 4)


def wrapped(dotted: str, **children: object) -> Callable[[SmallNet, Any], Any]:
    def wrap(net: SmallNet, model: Any) -> Any:
        return net.file.module(dotted, dict.fromkeys(children, model))

    return wrap


def hub(net: SmallNet, model: Any) -> Any:
    """As PyTorch Hub gives it: two wrappers."""
    backend = net.file.module("models.common.DetectMultiBackend", {"model": model})
    return net.file.module("models.common.AutoShape", {"model": backend})


DOCUMENTS: dict[str, Callable[[SmallNet, Any], Any]] = {
    "the model alone": lambda net, model: model,
    "under another key": lambda net, model: {"epoch": 3, "net": model},
    "smoothed weights alone": lambda net, model: {"model": None, "ema": model},
    "smoothed weights of others": lambda net, model: {"model_ema": model, "model": "yolov5n"},
    "the object that smooths": lambda net, model: {
        "ema": Thing("utils.torch_utils.ModelEMA", {"ema": model, "updates": 7})
    },
    "one level down": lambda net, model: {"checkpoint": {"model": model}},
    "in parallel": wrapped("torch.nn.parallel.distributed.DistributedDataParallel", module=1),
    "in parallel, old": wrapped("torch.nn.parallel.data_parallel.DataParallel", module=1),
    "from PyTorch Hub": hub,
    "the package's own object": wrapped("ultralytics.models.yolo.model.YOLO", model=1),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_model_is_found(kind: str, small_net: SmallNet, tmp_path: Path) -> None:
    document = DOCUMENTS[kind](small_net, small_net.model(middle, names=["cat", "dog"]))
    path = small_net.file.save(tmp_path / "net.pt", document)
    graph = load_checkpoint(path, input_size=(64, 64))
    assert graph.metadata.class_names == ("cat", "dog")
    images = np.random.default_rng(1).random((1, 3, 64, 64), np.float32)
    (head,) = run_images(graph, images)
    np.testing.assert_allclose(head[0], small_net.oracle(images[0]), atol=1e-4)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"state_dict": weights, "epoch": 1},
        lambda weights: {"model_state_dict": weights, "optimizer_state_dict": {}},
        lambda weights: {"a": {"model": weights}},
        lambda weights: [weights, {"epoch": 1}],
    ],
)
def test_only_weights_wherever_they_are(
    wrap: Callable[[Any], Any], small_net: SmallNet, tmp_path: Path
) -> None:
    weights = {"module.model.0.conv.weight": small_net.file.tensor(np.ones((2, 3, 1, 1)))}
    path = small_net.file.save(tmp_path / "net.pt", wrap(weights))
    with pytest.raises(UnsupportedModelError, match=r"only weights \(a state_dict\)"):
        load_checkpoint(path)


class Options(dict[str, Any]):
    """As the dictionaries of configuration packages, whose items are attributes too."""


class Pairs(list[Any]):
    """A list of a class of its own."""


Options.__module__, Options.__qualname__, Options.__name__ = "easydict", "EasyDict", "EasyDict"
Pairs.__module__, Pairs.__qualname__, Pairs.__name__ = "easydict", "Pairs", "Pairs"

BESIDE: dict[str, Any] = {
    "types": [int, list, dict, str, float, object],
    "containers": [frozenset({1, 2}), complex(1, 2), slice(1, 2), range(3)],
    "collections": [collections.defaultdict(list, a=[1]), collections.Counter("abc")],
    "deque": collections.deque([1, 2], 5),
    "long numbers and texts": [2**80, b"x" * 300, "y" * 300],
    "random states": [random.Random(1), np.random.RandomState(0), np.random.default_rng(0)],
    "arrays": [np.arange(6.0).reshape(2, 3), np.float64(1), np.array(["a"])],
    "logger": logging.getLogger("training"),
    "time": time.gmtime(0),
    "options": argparse.Namespace(a=1),
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_data_of_training_beside_the_model(
    protocol: int, small_net: SmallNet, tmp_path: Path
) -> None:
    beside = BESIDE if protocol < 5 else BESIDE | {"arrays": [], "random states": []}
    buffer = io.BytesIO()
    Pickler(buffer, protocol).dump({"model": small_net.model(middle), "beside": beside})
    path = small_net.file.save_pickle(tmp_path / "net.pt", buffer.getvalue())
    assert load_checkpoint(path).metadata.num_classes == 2


def test_options_in_a_dictionary_of_another_class(
    small_net: SmallNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = types.ModuleType("easydict")
    package.__dict__.update(EasyDict=Options, Pairs=Pairs)
    monkeypatch.setitem(sys.modules, "easydict", package)
    options = Options(imgsz=320, epochs=7)
    options.__dict__["epochs"] = 7
    document = {"model": small_net.model(middle), "opt": options, "pairs": Pairs([1, 2])}
    path = small_net.file.save(tmp_path / "net.pt", document)
    training = checkpoint_training(path)
    assert (training.input_side, training.epochs) == (320, 7)
    assert load_checkpoint(path).metadata.input_size == (320, 320)


def test_parameters_with_attributes_of_their_own(small_net: SmallNet, tmp_path: Path) -> None:
    """Pruning and parallel training leave them; PyTorch then writes another function."""
    model = small_net.model(middle)
    stem = model.state["_modules"]["model"].state["_modules"]["0"]
    parameters = stem.state["_modules"]["conv"].state["_parameters"]
    tensor, hooks = parameters["weight"], Call("collections.OrderedDict")
    kept = (tensor, True, hooks, {"shared": True})
    parameters["weight"] = Call("torch._utils._rebuild_parameter_with_state", *kept)
    statistics = stem.state["_modules"]["bn"].state["_parameters"]
    made = statistics["weight"]
    statistics["weight"] = Call(
        "torch._tensor._rebuild_from_type_v2",
        Named("torch._utils._rebuild_tensor_v2"),
        Named("torch.nn.parameter.Parameter"),
        tuple(made.arguments),
        {"shared": True},
    )
    path = small_net.file.save(tmp_path / "net.pt", {"model": model})
    images = np.random.default_rng(1).random((1, 3, 64, 64), np.float32)
    (head,) = run_images(load_checkpoint(path, input_size=(64, 64)), images)
    np.testing.assert_allclose(head[0], small_net.oracle(images[0]), atol=1e-4)


@pytest.mark.parametrize("function", ["os.system", "my.project.rebuild", "torch.load"])
def test_tensors_are_made_by_known_functions_only(
    function: str, small_net: SmallNet, tmp_path: Path
) -> None:
    made = Call("torch._tensor._rebuild_from_type_v2", Named(function), Named("int"), (), {})
    path = small_net.file.save(tmp_path / "net.pt", {"model": small_net.model(middle), "a": made})
    with pytest.raises(ModelError):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([7, 8], ("7", "8")),
        ({0: 7, 1: True}, ("7", "True")),
        ({"0": "cat", "1": "dog"}, ("cat", "dog")),
        (("cat", "dog"), ("cat", "dog")),
    ],
)
def test_names_as_yaml_reads_them(
    names: object, expected: tuple[str, ...], small_net: SmallNet, tmp_path: Path
) -> None:
    model = small_net.model(middle, names=names)
    path = small_net.file.save(tmp_path / "net.pt", {"model": model})
    assert load_checkpoint(path).metadata.class_names == expected


@pytest.mark.parametrize("names", [["cat"], [b"cat", b"dog"], ["x" * 300, "dog"], 7])
def test_names_that_do_not_fit_are_replaced_by_given_ones(
    names: object, small_net: SmallNet, tmp_path: Path
) -> None:
    model = small_net.model(middle, names=names)
    path = small_net.file.save(tmp_path / "net.pt", {"model": model})
    with pytest.raises(ModelError, match=r"do not fit its 2 classes.*--names FILE"):
        load(path)
    assert load(path, class_names=("cat", "dog")).metadata.class_names == ("cat", "dog")


def test_a_stored_tensor_is_no_model(small_net: SmallNet, tmp_path: Path) -> None:
    path = small_net.file.save(tmp_path / "net.pt", small_net.file.tensor(np.ones(3)))
    with pytest.raises(UnsupportedModelError, match="no YOLO detection model"):
        load_checkpoint(path)
