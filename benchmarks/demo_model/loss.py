"""YOLOv5's loss: boxes by CIoU, objectness by the IoU reached, classes; three cells an object.

Written from the public description (docs.ultralytics.com, "Architecture description of YOLOv5";
CIoU: Zheng et al. 2020, arXiv 1911.08287).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from network import ANCHORS, PER_ANCHOR, STRIDES
from torch import Tensor
from torch.nn import functional

BOX_GAIN, OBJECT_GAIN, CLASS_GAIN = 0.05, 0.3, 0.04
# Fine heads have more cells, most of them empty.
BALANCE = (4.0, 1.0, 0.4)
MAX_RATIO = 4.0
# The cell of the center, and those of its neighbors that the center is nearer to.
NEIGHBORS = ((0, 0), (-1, 0), (0, -1), (1, 0), (0, 1))


def detection_loss(heads: Sequence[Tensor], objects: Tensor) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch, and its parts.

    Args:
        heads: (n, 27, h, w) logits, finest first.
        objects: (m, 6): image, class, center x and y, width, height in input pixels.
    """
    box_loss = object_loss = class_loss = torch.zeros(())
    for level, head in enumerate(heads):
        n, _, rows, columns = head.shape
        grid = head.view(n, len(ANCHORS[level]), PER_ANCHOR, rows, columns).permute(0, 1, 3, 4, 2)
        anchors = torch.tensor(ANCHORS[level]) / STRIDES[level]
        places, wanted, classes = assign(objects, anchors, STRIDES[level], (rows, columns))
        goal = torch.zeros(grid.shape[:4])
        if len(classes):
            picture, anchor, row, column = places
            found = grid[picture, anchor, row, column]
            center = found[:, :2].sigmoid() * 2 - 0.5
            sides = (found[:, 2:4].sigmoid() * 2) ** 2 * anchors[anchor]
            iou = ciou(torch.cat([center, sides], 1), wanted)
            box_loss = box_loss + (1 - iou).mean()
            order = iou.detach().argsort()
            goal[picture[order], anchor[order], row[order], column[order]] = iou.detach().clamp(0)[
                order
            ]
            one_hot = functional.one_hot(classes, PER_ANCHOR - 5).float()
            class_loss = class_loss + functional.binary_cross_entropy_with_logits(
                found[:, 5:], one_hot
            )
        object_loss = object_loss + BALANCE[level] * functional.binary_cross_entropy_with_logits(
            grid[..., 4], goal
        )
    total = BOX_GAIN * box_loss + OBJECT_GAIN * object_loss + CLASS_GAIN * class_loss
    parts = {
        name: float(value.detach())
        for name, value in (("box", box_loss), ("object", object_loss), ("class", class_loss))
    }
    return total, parts


def assign(
    objects: Tensor, anchors: Tensor, stride: int, cells: tuple[int, int]
) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Tensor, Tensor]:
    """Which cells and anchors answer for which object.

    Args:
        objects: as in `detection_loss`.
        anchors: (na, 2) widths and heights in cells.
        stride: input pixels a cell.
        cells: rows and columns of the head.

    Returns:
        (image, anchor, row, column), each (k,); (k, 4) center relative to the cell, width and
        height in cells; (k,) classes.
    """
    scaled = objects[:, 2:] / stride
    ratio = scaled[:, None, 2:] / anchors[None]
    fits = torch.maximum(ratio, 1 / ratio).amax(2) < MAX_RATIO
    which, anchor = fits.nonzero(as_tuple=True)
    chosen = scaled[which]
    found = []
    for dx, dy in NEIGHBORS:
        column = chosen[:, 0].floor().long() + dx
        row = chosen[:, 1].floor().long() + dy
        keep = (column >= 0) & (column < cells[1]) & (row >= 0) & (row < cells[0])
        if dx or dy:
            axis, step = (0, dx) if dx else (1, dy)
            part = chosen[:, axis] % 1
            keep &= (part < 0.5) if step < 0 else (part > 0.5)
        origin = torch.stack([column, row], 1).float()
        relative = torch.cat([chosen[:, :2] - origin, chosen[:, 2:]], 1)
        found.append((which[keep], anchor[keep], row[keep], column[keep], relative[keep]))
    which, anchor, row, column, relative = (torch.cat(part) for part in zip(*found, strict=True))
    image, classes = objects[which, 0].long(), objects[which, 1].long()
    return (image, anchor, row, column), relative, classes


def ciou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU of pairs of boxes (k, 4): center x, center y, width, height."""
    a_low, a_high = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    b_low, b_high = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    common = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(0).prod(1)
    union = a[:, 2:].prod(1) + b[:, 2:].prod(1) - common + 1e-7
    iou = common / union
    hull = torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)
    apart = ((a[:, :2] - b[:, :2]) ** 2).sum(1) / ((hull**2).sum(1) + 1e-7)
    angles = torch.atan(a[:, 2] / (a[:, 3] + 1e-7)), torch.atan(b[:, 2] / (b[:, 3] + 1e-7))
    shape = 4 / math.pi**2 * (angles[1] - angles[0]) ** 2
    with torch.no_grad():
        weight = shape / (shape - iou + 1 + 1e-7)
    return iou - apart - weight * shape
