"""The order in which a group's channels are removed, and the re-fitted weights of its readers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from .channels import Ids
from .moments import Doubles

# Of the mean diagonal: keeps inverses sound where channels repeat each other.
_RIDGE = 1e-4
# Wide groups lose several channels between two looks at all of them.
_ROUNDS = 32


@dataclass
class Reader:
    """A convolution that reads the group: y = x @ matrix, x the patch with a one at its end.

    `matrix` is (inputs, outputs), `owner` the channel id of each input (-1 for the bias),
    `moment` the mean of x x^T, `weight` what a squared error of its output counts.
    """

    name: str
    matrix: Doubles
    owner: Ids
    moment: Doubles
    weight: float = 1.0


def elimination(
    readers: Sequence[Reader], channels: Sequence[int], stops: Collection[int]
) -> tuple[list[int], dict[int, dict[str, Doubles]]]:
    """Take one channel after the other, each time the one that least changes the readers' outputs.

    After each, the readers' remaining weights are those of minimum squared error (the optimal brain
    surgeon, a channel at a time: Hassibi and Stork 1993, Kurtic et al. 2023).

    Returns:
        The channels in the order in which they go, and for each number gone in `stops` the
        readers' matrices by name, zero where nothing is read any more.
    """
    solvers = [_Solver(reader, channels) for reader in readers]
    left = list(channels)
    order: list[int] = []
    found: dict[int, dict[str, Doubles]] = {}
    at_once = max(1, len(left) // _ROUNDS)
    while len(order) < max(stops, default=0):
        losses = np.sum([solver.losses(left) for solver in solvers], axis=0)
        wanted = min(stop for stop in stops if stop > len(order)) - len(order)
        for one in [left[index] for index in np.argsort(losses)[: min(at_once, wanted)]]:
            for solver in solvers:
                solver.remove(one)
            order.append(one)
            left.remove(one)
        if len(order) in stops:
            found[len(order)] = {s.name: s.matrix.copy() for s in solvers}
    return order, found


class _Solver:
    """A reader with the inverse of its second moment, kept up to date."""

    def __init__(self, reader: Reader, channels: Sequence[int]) -> None:
        self.name, self.matrix = reader.name, reader.matrix.copy()
        self._weight = reader.weight
        self._rows = {one: np.flatnonzero(reader.owner == one) for one in channels}
        ridge = _RIDGE * max(float(np.trace(reader.moment)) / len(reader.moment), 1e-12)
        self._inverse = np.linalg.inv(reader.moment + ridge * np.eye(len(reader.moment)))

    def losses(self, channels: Sequence[int]) -> Doubles:
        """The mean squared error that each channel's removal would add."""
        found = np.zeros(len(channels))
        rows = [self._rows[one] for one in channels]
        for size in {len(some) for some in rows} - {0}:
            places = [index for index, some in enumerate(rows) if len(some) == size]
            taken = np.stack([rows[index] for index in places])
            blocks = self._inverse[taken[:, :, None], taken[:, None, :]]
            kept = self.matrix[taken]
            solved = np.linalg.solve(blocks, kept)
            found[places] = self._weight * np.einsum("nro,nro->n", kept, solved)
        return found

    def remove(self, channel: int) -> None:
        rows = self._rows[channel]
        if not len(rows):
            return
        side = self._inverse[:, rows]
        gain = np.linalg.solve(side[rows], side.T).T
        self.matrix -= gain @ self.matrix[rows]
        self._inverse -= gain @ side.T
        self.matrix[rows] = 0
