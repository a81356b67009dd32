"""Channel groups: which channels of a detector must be kept or removed together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from ..operators import OPERATORS, ChannelBehavior
from ..shapes import constant, size_of

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ChannelGroup:
    """Convolutions whose outputs must keep the same channels.

    `channels` are ids; each stands for one channel in every value that holds the id.
    """

    name: str
    channels: tuple[int, ...]


@dataclass(frozen=True)
class Channels:
    """`ids` gives each value, by name, the id of each of its channels; channels of one id
    are kept or removed together.

    `groups` can be pruned; what is in none of them is kept (the input, the heads, and whatever
    an operator that is not known here touches).
    """

    ids: dict[str, Ids]
    groups: tuple[ChannelGroup, ...]


def find_channels(model: ir.Model) -> Channels:
    """Follow channels through the graph.

    A Conv makes new channels; a depthwise Conv, activations, pooling and resizing hand theirs on;
    Concat puts them in a row; Add and Mul tie those of their inputs, one by one. All other
    operators, and convolutions in larger groups, keep every channel that goes in or out.
    """
    ties = _Ties()
    ids: dict[str, Ids] = {}
    for value in model.graph.inputs:
        ids[str(value.name)] = ties.new(size_of(value)[0], kept=True)
    for node in model.graph:
        inputs = [ids[str(v.name)] for v in node.inputs if v is not None and str(v.name) in ids]
        ids[str(node.outputs[0].name)] = _output_ids(node, inputs, ties)
    for value in model.graph.outputs:
        ties.keep(ids[str(value.name)])
    resolved = {name: ties.resolve(found) for name, found in ids.items()}
    return Channels(resolved, tuple(_groups(model, resolved, ties)))


def is_depthwise(conv: ir.Node) -> bool:
    """Whether output channel i of the Conv comes from input channel i alone."""
    group = groups_of(conv)
    return group > 1 and constant(conv, 1).shape[:2] == (group, 1)


def groups_of(conv: ir.Node) -> int:
    """The `group` attribute of a Conv."""
    return conv.attributes["group"].as_int() if "group" in conv.attributes else 1


def _output_ids(node: ir.Node, inputs: list[Ids], ties: _Ties) -> Ids:
    count, behavior = size_of(node.outputs[0])[0], _behavior(node)
    if behavior == "new":
        return ties.new(count)
    if behavior == "joined":
        return np.concatenate(inputs)
    if behavior == "same":
        return inputs[0]
    if behavior == "tied" and {len(found) for found in inputs} == {count}:
        for other in inputs[1:]:
            ties.tie(inputs[0], other)
        return inputs[0]
    for found in inputs:
        ties.keep(found)
    return ties.new(count, kept=True)


def _behavior(node: ir.Node) -> ChannelBehavior:
    """The `channels` of the operator table, but by its groups for a Conv."""
    if node.op_type == "Conv" and groups_of(node) != 1:
        return "same" if is_depthwise(node) else "fixed"
    operator = OPERATORS.get(node.op_type)
    return operator.channels if operator else "fixed"


def _groups(model: ir.Model, ids: dict[str, Ids], ties: _Ties) -> Iterable[ChannelGroup]:
    """One group for all producers that share a channel, in the order of the graph."""
    names: list[str] = []
    members: list[set[int]] = []
    for node in model.graph:
        if node.op_type != "Conv" or groups_of(node) != 1:
            continue
        name, found = str(node.name), set(ids[str(node.outputs[0].name)].tolist())
        for index in reversed(range(len(members))):
            if members[index] & found:
                found |= members.pop(index)
                name = names.pop(index)
        names.append(name)
        members.append(found)
    for name, found in zip(names, members, strict=True):
        free = tuple(sorted(found - ties.kept))
        if free:
            yield ChannelGroup(name, free)


class _Ties:
    """Union-find over channels; the smallest id of a set stands for it."""

    def __init__(self) -> None:
        self._leader: list[int] = []
        self._kept: set[int] = set()

    @property
    def kept(self) -> set[int]:
        return {self._find(one) for one in self._kept}

    def new(self, count: int, *, kept: bool = False) -> Ids:
        start = len(self._leader)
        self._leader.extend(range(start, start + count))
        made = np.arange(start, start + count)
        if kept:
            self.keep(made)
        return made

    def keep(self, ids: Ids) -> None:
        self._kept.update(ids.tolist())

    def tie(self, one: Ids, other: Ids) -> None:
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            low, high = sorted((self._find(a), self._find(b)))
            self._leader[high] = low

    def resolve(self, ids: Ids) -> Ids:
        return np.array([self._find(one) for one in ids.tolist()], np.int64)

    def _find(self, one: int) -> int:
        while self._leader[one] != one:
            self._leader[one] = self._leader[self._leader[one]]
            one = self._leader[one]
        return one
