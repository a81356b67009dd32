"""Drawn regions as options of `tallylens count`, checked as `count` checks them."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tallylens.edge_runtime.counting.region import Region
from tallylens.edge_runtime.counting.regions import Line, Zone
from tallylens.edge_runtime.errors import ProtocolError, UsageError

MAX_REGIONS = 256
MAX_POINTS = 1000
MAX_TEXT = 200
DIGITS = 4
"""Decimal places of a coordinate: a ten-thousandth of a side is below a pixel up to 8K."""

DETAILS = ("in=", "out=", "dwell=")

KINDS: dict[str, Callable[[str], Region]] = {
    "line": Line.parse,
    "zone": Zone.parse,
    "ignore": partial(Zone.parse, option="--ignore"),
}
"""Kinds of region that can be drawn, by the name of the option."""


@dataclass(frozen=True)
class DrawnRegion:
    """A line or zone as it was drawn.

    Attributes:
        kind: a key of KINDS.
        points: (x, y) in fractions of the frame's width and height.
        name: the user's name, or empty.
        details: what follows the name in the option, such as `in=south,out=north`, or empty.
    """

    kind: str
    points: tuple[tuple[float, float], ...]
    name: str = ""
    details: str = ""

    @property
    def argument(self) -> str:
        """The value of the option."""
        numbers = (f"{round(value, DIGITS):g}" for point in self.points for value in point)
        texts = (text for text in (self._name, self.details) if text)
        return ",".join((*numbers, *texts))

    @property
    def _name(self) -> str:
        """The name as the option keeps it: without spaces around its parts."""
        return ",".join(part.strip() for part in self.name.split(","))

    def problem(self) -> str | None:
        """Why `count` would refuse this region, None if it would not."""
        try:
            read = KINDS[self.kind](self.argument)
        except UsageError as error:
            return str(error)
        if read.name != self._name:
            return f"the name {self._name!r} has another meaning there. Use another name."
        return None

    def as_dict(self) -> dict[str, Any]:
        """The region as the page knows it."""
        return {
            "kind": self.kind,
            "points": [list(point) for point in self.points],
            "name": self.name,
            "details": self.details,
        }


def parse_region(kind: str, argument: str, frame_size: tuple[int, int]) -> DrawnRegion:
    """The region of an option of `count`, whose coordinates may be pixels.

    Raises:
        UsageError: as `count` would raise it.
    """
    region = KINDS[kind](argument)
    width, height = frame_size
    points = tuple(
        (round(x / width, DIGITS), round(y / height, DIGITS))
        for x, y in region.to_pixels(frame_size)
    )
    parts = argument.split(",")[2 * len(points) :]
    texts = [part.strip() for part in parts]
    details = [text for text in texts if text == "extend" or text.startswith(DETAILS)]
    return DrawnRegion(kind, points, region.name, ",".join(details))


def read_regions(document: object) -> list[DrawnRegion]:
    """The regions in a JSON document of the page: `{"regions": [{"kind", "points", ...}]}`.

    Raises:
        ProtocolError: not such a document, or too large.
    """
    given = document.get("regions") if isinstance(document, dict) else None
    if not isinstance(given, list) or len(given) > MAX_REGIONS:
        raise ProtocolError(f"regions is not a list of at most {MAX_REGIONS}")
    return [_read_region(one) for one in given]


def _read_region(given: object) -> DrawnRegion:
    if not isinstance(given, dict) or given.get("kind") not in list(KINDS):
        raise ProtocolError(f"a region is not an object with kind {', '.join(KINDS)}")
    points = given.get("points")
    if not isinstance(points, list) or not 2 <= len(points) <= MAX_POINTS:
        raise ProtocolError(f"a region does not have 2 to {MAX_POINTS} points")
    return DrawnRegion(
        given["kind"],
        tuple(_read_point(point) for point in points),
        _read_text(given.get("name", "")),
        _read_text(given.get("details", "")),
    )


def _read_point(given: object) -> tuple[float, float]:
    if not isinstance(given, list) or len(given) != 2:
        raise ProtocolError("a point is not a pair of numbers")
    x, y = (value if isinstance(value, int | float) else -1 for value in given)
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise ProtocolError("a coordinate is not a fraction from 0 to 1")
    return float(x), float(y)


def _read_text(given: object) -> str:
    if not isinstance(given, str) or len(given) > MAX_TEXT or not given.isprintable():
        raise ProtocolError(f"a name is not a text of at most {MAX_TEXT} printable characters")
    return given


def as_options(regions: Iterable[DrawnRegion]) -> list[str]:
    """The options of `count`: `["--line", "0,0.6,1,0.6", ...]`, without those it would refuse."""
    accepted = (region for region in regions if region.problem() is None)
    return [part for region in accepted for part in (f"--{region.kind}", region.argument)]


def quoted(options: Sequence[str], *, windows: bool = os.name == "nt") -> str:
    """The options as one line for a shell of this system."""
    return subprocess.list2cmdline(options) if windows else shlex.join(options)
