"""Output shapes of the operators that a detector graph may hold, in NCHW without the batch.

One function per kind of operator, from a node to (channels, height, width); the table in
`operators` says which operator has which.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_ir as ir

Size = tuple[int, int, int]  # channels, height, width


# Coordinate transformation and rounding with which nearest-neighbor doubling repeats every pixel.
_REPEATING = {
    ("asymmetric", "floor"),
    ("asymmetric", "round_prefer_floor"),
    ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
    ("pytorch_half_pixel", "round_prefer_floor"),
}


class ShapeError(ValueError):
    """A node's inputs do not fit together; the message names the node."""


def size_of(value: ir.Value) -> Size:
    """(channels, height, width) of a feature map."""
    if value.shape is None or len(value.shape) != 4:
        raise ShapeError(f"{value.name}: not a feature map")
    channels, height, width = (int(dim) for dim in value.shape.dims[1:])  # type: ignore[arg-type]
    return channels, height, width


def doubling_repeats_pixels(mode: str, transformation: str, rounding: str) -> bool:
    """Whether a Resize with these attributes repeats every pixel when it doubles a map."""
    return mode == "nearest" and (transformation, rounding) in _REPEATING


def integers(node: ir.Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """The integers of an attribute, or `default` where the node has none."""
    attribute = node.attributes.get(name)
    return default if attribute is None else tuple(attribute.as_ints())


def constant(node: ir.Node, index: int) -> np.ndarray:
    """The constant array that is input `index` of `node`."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None or value.const_value is None:
        raise ShapeError(f"{node.name}: input {index} is not a constant")
    return value.const_value.numpy()


def shape_of(node: ir.Node, index: int) -> ir.Shape:
    """The whole shape of input `index`, the batch included."""
    value = _operand(node, index)
    if value.shape is None:
        raise ShapeError(f"{node.name}: input {index} has no shape")
    return value.shape


def _operand(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        raise ShapeError(f"{node.name}: input {index} is missing")
    return value


def _size(node: ir.Node, index: int = 0) -> Size:
    return size_of(_operand(node, index))


def same(node: ir.Node) -> Size:
    """The shape that all inputs of an elementwise operator have."""
    sizes = {_size(node, index) for index in range(len(node.inputs))}
    if len(sizes) != 1:
        raise ShapeError(f"{node.name}: inputs of different shapes {sorted(sizes)}")
    return sizes.pop()


def total(node: ir.Node) -> Size:
    """The shape of two maps that are added."""
    if len(node.inputs) != 2:
        raise ShapeError(f"{node.name}: {len(node.inputs)} maps to add")
    return same(node)


def batch_norm(node: ir.Node) -> Size:
    """The input's shape; the four constants hold one number per channel."""
    size = _size(node)
    if any(constant(node, index).shape != size[:1] for index in range(1, 5)):
        raise ShapeError(f"{node.name}: its constants do not fit {size[0]} channels")
    return size


def _windows(
    node: ir.Node, size: Size, kernel: tuple[int, ...], dilations: tuple[int, ...]
) -> tuple[int, int]:
    """Height and width after a sliding window."""
    strides = integers(node, "strides", (1, 1))
    pads = integers(node, "pads", (0, 0, 0, 0))
    if (len(strides), len(pads), len(kernel), len(dilations)) != (2, 4, 2, 2):
        raise ShapeError(f"{node.name}: not a two-dimensional window")
    if min(*strides, *kernel, *dilations) < 1 or min(pads) < 0:
        raise ShapeError(f"{node.name}: a window below 1 or a negative padding")
    sides = [
        (size[1 + axis] + pads[axis] + pads[axis + 2] - dilations[axis] * (kernel[axis] - 1) - 1)
        // strides[axis]
        + 1
        for axis in (0, 1)
    ]
    return sides[0], sides[1]


def conv(node: ir.Node) -> Size:
    """Output channels of the weights, and as many positions as the window has."""
    size, weight = _size(node), constant(node, 1)
    group = node.attributes["group"].as_int() if "group" in node.attributes else 1
    if weight.ndim != 4 or group < 1 or weight.shape[0] % group:
        raise ShapeError(f"{node.name}: weights {weight.shape} in {group} groups")
    if weight.shape[1] * group != size[0]:
        raise ShapeError(
            f"{node.name}: weights for {weight.shape[1] * group} channels, the input has {size[0]}"
        )
    if len(node.inputs) > 2 and constant(node, 2).shape != weight.shape[:1]:
        raise ShapeError(f"{node.name}: the bias does not fit the weights")
    dilations = integers(node, "dilations", (1, 1))
    return (weight.shape[0], *_windows(node, size, weight.shape[2:], dilations))


def max_pool(node: ir.Node) -> Size:
    """The input's channels, and as many positions as the window has."""
    size = _size(node)
    return (size[0], *_windows(node, size, integers(node, "kernel_shape", ()), (1, 1)))


def concat(node: ir.Node) -> Size:
    """The channels of all inputs, which have one height and width."""
    sizes = [_size(node, index) for index in range(len(node.inputs))]
    if len({size[1:] for size in sizes}) != 1:
        raise ShapeError(f"{node.name}: cannot join maps of different sizes {sizes}")
    return (sum(size[0] for size in sizes), *sizes[0][1:])


def resize(node: ir.Node) -> Size:
    """Height and width doubled."""
    channels, height, width = _size(node)
    if constant(node, 2).tolist() != [1.0, 1.0, 2.0, 2.0]:
        raise ShapeError(f"{node.name}: only a doubling of height and width is known")
    return channels, height * 2, width * 2


def reshape(node: ir.Node) -> Size:
    """The sides that the constant says, the batch left alone; one may follow from the others."""
    count, wanted = prod(_size(node)), constant(node, 1).tolist()
    if len(wanted) != 4 or wanted[0] != 0 or any(side < -1 or side == 0 for side in wanted[1:]):
        raise ShapeError(f"{node.name}: a reshape to {wanted}")
    sides = wanted[1:]
    known = prod(side for side in sides if side > 0)
    if -1 in sides and not count % known:
        sides[sides.index(-1)] = count // known
    if -1 in sides or prod(sides) != count:
        raise ShapeError(f"{node.name}: {count} values as {wanted}")
    return sides[0], sides[1], sides[2]


def transpose(node: ir.Node) -> Size:
    """The sides in another order."""
    order, sides = integers(node, "perm", ()), (0, *_size(node))
    if len(order) != 4 or order[0] != 0 or sorted(order) != [0, 1, 2, 3]:
        raise ShapeError(f"{node.name}: a transpose by {order}")
    return sides[order[1]], sides[order[2]], sides[order[3]]


def mat_mul(node: ir.Node) -> Size:
    """(channels, m, k) by (channels, k, n)."""
    (channels, rows, shared), (others, inner, columns) = _size(node, 0), _size(node, 1)
    if channels != others or shared != inner:
        raise ShapeError(f"{node.name}: {rows}x{shared} by {inner}x{columns}")
    return channels, rows, columns


def pooled(node: ir.Node) -> Size:
    """One value for each channel."""
    return _size(node)[0], 1, 1


def over_channels(node: ir.Node) -> Size:
    """One value for each position."""
    if integers(node, "axes", ()) != (1,):
        raise ShapeError(f"{node.name}: only a maximum over the channels is known")
    return (1, *_size(node)[1:])


def product(node: ir.Node) -> Size:
    """The larger of two maps; the other may hold one value for each channel."""
    if len(node.inputs) != 2:
        raise ShapeError(f"{node.name}: {len(node.inputs)} maps to multiply")
    first, second = _size(node, 0), _size(node, 1)
    if first != second and first[0] == second[0] and (1, 1) in (first[1:], second[1:]):
        return max(first, second)
    return same(node)


def conv_transpose(node: ir.Node) -> Size:
    """Output channels of the weights, and as many positions as its windows cover."""
    size, weight = _size(node), constant(node, 1)
    group = node.attributes["group"].as_int() if "group" in node.attributes else 1
    if weight.ndim != 4 or group < 1 or weight.shape[0] != size[0] or size[0] % group:
        raise ShapeError(f"{node.name}: weights {weight.shape} in {group} groups for {size}")
    outputs = weight.shape[1] * group
    if len(node.inputs) != 3 or constant(node, 2).shape != (outputs,):
        raise ShapeError(f"{node.name}: the bias does not fit the weights")
    strides, pads = integers(node, "strides", (1, 1)), integers(node, "pads", (0, 0, 0, 0))
    if (len(strides), len(pads)) != (2, 4) or min(*strides, *weight.shape) < 1 or min(pads) < 0:
        raise ShapeError(f"{node.name}: not a two-dimensional window")
    sides = [
        (size[1 + axis] - 1) * strides[axis] + weight.shape[2 + axis] - pads[axis] - pads[axis + 2]
        for axis in (0, 1)
    ]
    return outputs, sides[0], sides[1]


def slice_(node: ir.Node) -> Size:
    """The sides that remain of channels, height and width after constant slices."""
    sides = [*_size(node)]
    starts, ends, axes, steps = (constant(node, index).ravel().tolist() for index in range(1, 5))
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if axis not in (1, 2, 3) or step < 1:
            raise ShapeError(f"{node.name}: a slice of axis {axis} with step {step}")
        sides[axis - 1] = len(range(*slice(start, end, step).indices(sides[axis - 1])))
    return sides[0], sides[1], sides[2]
