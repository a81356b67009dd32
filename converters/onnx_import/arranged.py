"""Values of any rank as feature maps whose sides are taken apart and put in another order.

Exporters write attention and gates in two to four dimensions, such as (positions, 1, channels) or
(heads, positions, width). Here such a value is a feature map and, for each of its dimensions, the
parts of the map's channels, rows and columns that the dimension runs over. Reshapes and transposes
change only that; numbers move where an operator needs them in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import onnx_ir as ir

from ..builder import GraphBuilder
from ..shapes import ShapeError, size_of

CHANNELS, ROWS, COLUMNS = 0, 1, 2
MAX_RANK = 8


@dataclass(frozen=True)
class Part:
    """`size` steps of `stride` along a side of a map: CHANNELS, ROWS or COLUMNS.

    `grid`: ROWS or COLUMNS where the size follows that of the image, else CHANNELS.
    """

    side: int
    stride: int
    size: int
    grid: int


Dimension = tuple[Part, ...]


@dataclass(frozen=True)
class Arranged:
    """A map, and its parts by dimension; a dimension without parts has the size 1."""

    base: ir.Value
    dimensions: tuple[Dimension, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the dimensions."""
        return tuple(map(_size, self.dimensions))

    @property
    def is_map(self) -> bool:
        """Whether it is the map itself: batch, channels, rows, columns."""
        plain = ((), *(whole(self.base, side) for side in range(3)))
        return len(self.dimensions) == 4 and all(map(_same_steps, self.dimensions, plain))


def whole(base: ir.Value, side: int) -> Dimension:
    """All of one side of a map."""
    size = size_of(base)[side]
    return (Part(side, 1, size, side),) if size > 1 else ()


def is_whole(base: ir.Value, dimension: Dimension, side: int) -> bool:
    """Whether a dimension runs over all of one side of the map, and nothing else."""
    return _same_steps(dimension, whole(base, side))


def of_map(base: ir.Value) -> Arranged:
    """A map as it is."""
    return Arranged(base, ((), *(whole(base, side) for side in range(3))))


def reshaped(value: Arranged, shape: Sequence[int]) -> Arranged:
    """The same numbers in the same order, in the dimensions `shape`.

    Raises:
        ShapeError: a dimension would take what belongs to two.
    """
    parts = [part for dimension in value.dimensions for part in dimension]
    fits = 1 <= len(shape) <= MAX_RANK and min(shape) >= 1
    if not fits or prod(shape) != prod(value.shape):
        raise ShapeError(f"{value.base.name}: {value.shape} as {tuple(shape)[:MAX_RANK]}")
    dimensions = []
    for size in shape:
        taken: list[Part] = []
        while size > 1:
            part = parts.pop(0)
            if size % part.size:
                part, inner = _divided(value, part, size)
                parts.insert(0, inner)
            taken.append(part)
            size //= part.size
        dimensions.append(_joined(taken))
    return Arranged(value.base, tuple(dimensions))


def transposed(value: Arranged, order: Sequence[int]) -> Arranged:
    """The dimensions in another order."""
    if sorted(order) != list(range(len(value.dimensions))):
        raise ShapeError(f"{value.base.name}: a transpose by {tuple(order)[:MAX_RANK]}")
    return Arranged(value.base, tuple(value.dimensions[one] for one in order))


def rebased(
    builder: GraphBuilder, name: str, value: Arranged, sides: Sequence[Dimension]
) -> Arranged:
    """The same value, of a map whose channels, rows and columns are `sides`, parts of `value`."""
    renamed = {}
    for side, dimension in enumerate(sides):
        stride = _size(dimension)
        for part in dimension:
            stride //= part.size
            renamed[part] = Part(side, stride, part.size, part.grid)
    dimensions = tuple(
        _joined([renamed[part] for part in dimension]) for dimension in value.dimensions
    )
    return Arranged(moved(builder, name, value, sides), dimensions)


def moved(
    builder: GraphBuilder, name: str, value: Arranged, sides: Sequence[Dimension]
) -> ir.Value:
    """The map whose channels, rows and columns are `sides`, all parts of `value`.

    Raises:
        ShapeError: it takes more than one transpose.
    """
    if Arranged(value.base, ((), *map(_joined, sides))).is_map:
        return value.base
    wanted = [part for side in sides for part in side]
    blocks = _blocks(sorted(wanted, key=lambda part: (part.side, -part.stride)), wanted)
    order = sorted(blocks, key=lambda block: wanted.index(block[0]))
    x = value.base
    if order != blocks:
        if len(blocks) > 3:
            raise ShapeError(f"{name}: its values move in {len(blocks)} directions")
        stored = _on_sides(x, blocks)
        x = _as_sides(builder, f"{name}.apart", x, stored)
        perm = [1 + stored.index(block) for block in _in_place(sides, order, stored)]
        x = builder.add("Transpose", f"{name}/Transpose", [x], {"perm": (0, *perm)})
    return _as_sides(builder, name, x, sides)


def _on_sides(x: ir.Value, blocks: Sequence[Dimension]) -> list[Dimension]:
    """The blocks on three sides: those of `x` where each block is one, else one after the other.

    A side without a block gets one of no parts, whose stride distinguishes it.
    """
    sides = [next((s for s in range(3) if is_whole(x, one, s)), None) for one in blocks]
    found: list[Dimension] = [(Part(CHANNELS, -side, 1, CHANNELS),) for side in range(1, 4)]
    in_row = None in sides or len(set(sides)) < len(sides)
    for number, (side, block) in enumerate(zip(sides, blocks, strict=True)):
        found[number if in_row or side is None else side] = block
    return found


def _in_place(
    sides: Sequence[Dimension], order: Sequence[Dimension], stored: Sequence[Dimension]
) -> list[Dimension]:
    """`stored` in the order that is wanted, each on its side where a side is one block."""
    empty = [block for block in stored if block not in order]
    if any(side and side not in order for side in sides):
        return [*order, *empty]
    return [side or empty.pop(0) for side in sides]


def _as_sides(
    builder: GraphBuilder, name: str, x: ir.Value, sides: Sequence[Dimension]
) -> ir.Value:
    """A reshape that stays right for another input size."""
    sizes = list(map(_size, sides))
    if list(size_of(x)) == sizes:
        return x
    grids = [{part.grid for part in side} - {CHANNELS} for side in sides]
    of_image = [number for number, found in enumerate(grids) if found]
    if grids[1:] != [{ROWS}, {COLUMNS}]:
        if len(of_image) > 1:
            raise ShapeError(f"{name}: two sides of it follow the size of the image")
        sizes[of_image[0] if of_image else 0] = -1
    return builder.reshape(name, x, sizes)


def alike(first: Arranged, second: Arranged) -> tuple[list[Part], list[Part]]:
    """The parts of two values of one shape, in pairs of the same size.

    Raises:
        ShapeError: they have different shapes, or are divided differently.
    """
    if first.shape != second.shape:
        raise ShapeError(f"{first.base.name}: {first.shape} and {second.shape}")
    pairs: tuple[list[Part], list[Part]] = ([], [])
    for one, other in zip(first.dimensions, second.dimensions, strict=True):
        if not one and not other:
            continue
        finer, coarser = (one, other) if len(one) >= len(other) else (other, one)
        of_coarser = second.base if coarser is other else first.base
        cut = reshaped(Arranged(of_coarser, (coarser,)), [part.size for part in finer])
        if any(len(dimension) != 1 for dimension in cut.dimensions):
            raise ShapeError(f"{first.base.name} and {second.base.name} are divided differently")
        parts = [dimension[0] for dimension in cut.dimensions]
        for found, those in zip(
            pairs, (finer, parts) if finer is one else (parts, finer), strict=True
        ):
            found.extend(those)
    return pairs


def _size(dimension: Sequence[Part]) -> int:
    return prod(part.size for part in dimension)


def _same_steps(first: Dimension, second: Dimension) -> bool:
    """Whether two dimensions run over the same numbers, whatever their size follows."""
    steps = [_joined([replace(part, grid=CHANNELS) for part in one]) for one in (first, second)]
    return steps[0] == steps[1]


def _divided(value: Arranged, part: Part, size: int) -> tuple[Part, Part]:
    """The outer part of `size` steps, and the inner one."""
    if part.size % size:
        raise ShapeError(f"{value.base.name}: {part.size} values as {size}")
    inner = part.size // size
    return (
        replace(part, stride=part.stride * inner, size=size),
        replace(part, size=inner),
    )


def _joined(parts: Sequence[Part]) -> Dimension:
    """Parts that follow each other in the map, as one."""
    found: list[Part] = []
    for part in parts:
        before = found[-1] if found else None
        if (
            before is not None
            and (before.side, before.grid) == (part.side, part.grid)
            and before.stride == part.stride * part.size
        ):
            found[-1] = replace(part, size=part.size * before.size)
        else:
            found.append(part)
    return tuple(found)


def _blocks(stored: Sequence[Part], wanted: Sequence[Part]) -> list[tuple[Part, ...]]:
    """Runs of `stored` that are runs of `wanted` as well: they move as one."""
    blocks: list[tuple[Part, ...]] = []
    for part in stored:
        before = wanted.index(part) - 1
        if blocks and before >= 0 and wanted[before] == blocks[-1][-1]:
            blocks[-1] = (*blocks[-1], part)
        else:
            blocks.append((part,))
    return blocks
