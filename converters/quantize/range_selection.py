"""Selection of the range of every value: the smallest error after the activation.

What counts is not the value between a convolution and its SiLU but what comes out behind it, so
both roundings are simulated on a histogram and the error is taken there, each channel weighted
by how strongly the convolutions behind it read it. The error is taken to the third power: with
the second, large values are cut that carry the objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import onnx_ir as ir

from ...edge_runtime.types import FloatArray
from ..graph import INPUT_NAME, DetectorGraph
from ..operators import OPERATORS
from .scheme import Ranges, name_of
from .statistics import Statistics, is_silu

# Below, SiLU gives less than 0.003 in size.
_SILU_FLAT_BELOW = -8.0
# Below, the sigmoid that decodes a head gives less than 0.001, the lowest score in use.
_LEAST_LOGIT = -7.0

_SILU_MINIMUM = -0.27846455
_POWER = 3
_BINS = 4096
# Fractions of the largest value that may be kept: samples miss the rarest, which are objects, too.
_SHARES = np.linspace(0.6, 1.0, 17)
_STEPS = 255

Activation = Callable[[FloatArray], FloatArray]
Limits = tuple[float, float]


def choose_ranges(graph: DetectorGraph, statistics: Statistics) -> dict[str, Limits]:
    """One range for every value of `graph`; values that are only moved share theirs."""
    ranges: dict[str, Limits] = {INPUT_NAME: (0.0, 1.0)}
    heads = set(graph.metadata.head_names)
    for node in graph.model.graph:
        value = node.outputs[0]
        name = name_of(value)
        if name in statistics.limits:
            ranges[name] = _choose(value, name in heads, statistics)
        else:
            ranges[name] = _derived(node, ranges)
    return tie_ranges(graph, ranges)


def cut_flat_tails(graph: DetectorGraph, ranges: Ranges) -> dict[str, Limits]:
    """The same ranges, cut where every user of the value is flat (SiLU, HardSwish)."""
    cut = dict(ranges)
    for node in graph.model.graph:
        name = name_of(node.outputs[0])
        least = _flat_below(node.outputs[0])
        if least is not None and name in cut:
            cut[name] = (max(cut[name][0], least), cut[name][1])
    return cut


def tie_ranges(graph: DetectorGraph, ranges: Ranges) -> dict[str, Limits]:
    """The same ranges, with one common range over values that are only moved about."""
    leader = {name: name for name in ranges}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for node in graph.model.graph:
        if OPERATORS[node.op_type].moves_values:
            for value in node.inputs:
                if value is not None and value.name in leader:
                    leader[find(value.name)] = find(name_of(node.outputs[0]))
    tied: dict[str, Limits] = {}
    for name, (low, high) in ranges.items():
        common = tied.get(find(name), (low, high))
        tied[find(name)] = (min(common[0], low), max(common[1], high))
    return {name: tied[find(name)] for name in ranges}


def derived_ranges(graph: DetectorGraph, limits: Ranges) -> dict[str, Limits]:
    """`limits` and those of all values that follow from them."""
    ranges = dict(limits)
    for node in graph.model.graph:
        name = name_of(node.outputs[0])
        if name not in ranges:
            ranges[name] = _derived(node, ranges)
    return ranges


def _choose(value: ir.Value, is_head: bool, statistics: Statistics) -> Limits:
    name = name_of(value)
    low, high = statistics.limits[name]
    if is_head:
        return max(low, _LEAST_LOGIT), high
    silu = _silu_of(value)
    least = _flat_below(value)
    low = low if least is None else max(low, least)
    samples = statistics.samples.get(name)
    if samples is None or high <= 0:
        return low, high
    places, counts = _histogram(samples, (low, high), _reading_strength(silu or value))
    ends = [(low, float(high * share)) for share in _SHARES]
    errors = [_error(places, counts, end, silu is not None) for end in ends]
    return ends[int(np.argmin(errors))]


def _histogram(
    samples: FloatArray, limits: Limits, strength: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Middles of the bins between `limits`, and how much the values there weigh."""
    low, high = limits
    bins = ((np.clip(samples, low, high) - low) * ((_BINS - 1) / max(high - low, 1e-6))).astype(int)
    counts = np.zeros(_BINS, np.float32)
    for channel, weight in zip(bins, strength, strict=True):
        counts += weight * np.bincount(channel, minlength=_BINS)
    return np.linspace(low, high, _BINS, dtype=np.float32), counts


def _error(places: FloatArray, counts: FloatArray, limits: Limits, activated: bool) -> float:
    rounded = _round(places, limits)
    if activated:
        top = float(_silu(np.asarray(limits[1])))
        places, rounded = _silu(places), _round(_silu(rounded), (_SILU_MINIMUM, top))
    return float((counts * np.abs(rounded - places) ** _POWER).sum())


def _round(values: FloatArray, limits: Limits) -> FloatArray:
    step = max(limits[1] - limits[0], 1e-6) / _STEPS
    rounded: FloatArray = np.rint(np.clip(values, *limits) / step) * step
    return rounded


def _silu(values: FloatArray) -> FloatArray:
    activated: FloatArray = values / (1 + np.exp(-values))
    return activated


def _derived(node: ir.Node, ranges: Mapping[str, Limits]) -> Limits:
    """The range of an output that follows from the inputs'."""
    fixed = OPERATORS[node.op_type].output_range
    if fixed is not None:
        return fixed
    inputs = [ranges[name_of(v)] for v in node.inputs if v is not None and v.name in ranges]
    if is_silu(node):
        source = next(v for v in node.inputs if v and not _is_gate(v))
        low, high = (float(_silu(np.asarray(end))) for end in ranges[name_of(source)])
        return (_SILU_MINIMUM if ranges[name_of(source)][0] < -1.278 else low), high
    return min(low for low, _ in inputs), max(high for _, high in inputs)


def _is_gate(value: ir.Value) -> bool:
    producer = value.producer()
    return producer is not None and producer.op_type == "Sigmoid"


def _flat_below(value: ir.Value) -> float | None:
    """Where everything that uses `value` is flat, None if nothing is."""
    users = {user for user, _ in value.uses()}
    if _silu_of(value) is not None:
        return _SILU_FLAT_BELOW
    if len(users) == 1:
        return OPERATORS[next(iter(users)).op_type].flat_below
    return None


def _silu_of(value: ir.Value) -> ir.Value | None:
    """The output of the SiLU that is the only user of `value`."""
    users = {user for user, _ in value.uses()}
    products = [user for user in users if is_silu(user)]
    if len(users) == 2 and len(products) == 1 and {u.op_type for u in users} == {"Sigmoid", "Mul"}:
        return products[0].outputs[0]
    return None


def _reading_strength(value: ir.Value) -> FloatArray:
    """(channels,) squared weights with which convolutions read each channel, mean 1."""
    assert value.shape is not None
    count = int(value.shape[1])  # type: ignore[arg-type]
    strength = np.zeros(count, np.float32)
    for reader in _readers(value, 0, count):
        strength += reader
    return strength / strength.mean() if strength.any() else np.ones(count, np.float32)


def _hands_on(node: ir.Node) -> bool:
    """Whether values keep their numbers and their channels."""
    operator = OPERATORS[node.op_type]
    return operator.moves_values and operator.channels != "fixed"


def _readers(value: ir.Value, first: int, count: int) -> Iterator[FloatArray]:
    """Reading strength of each convolution behind `value`, through moves and additions."""
    for node, index in value.uses():
        output = node.outputs[0]
        if node.op_type == "Conv":
            weight = node.inputs[1].const_value.numpy()  # type: ignore[union-attr]
            if weight.shape[1] >= first + count:
                yield (weight[:, first : first + count] ** 2).sum((0, 2, 3))
        elif node.op_type == "Concat":
            before = sum(int(v.shape[1]) for v in node.inputs[:index])  # type: ignore
            yield from _readers(output, first + before, count)
        elif node.op_type == "Add" or _hands_on(node):
            yield from _readers(output, first, count)
