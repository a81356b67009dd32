"""Counting lines and zones as JSON values: corners in fractions of width and height."""

from __future__ import annotations

from typing import Any

from ...edge_runtime.counting.regions import Line, Zone
from ...edge_runtime.errors import ProtocolError, UsageError
from .json_fields import Fields, number

Region = Line | Zone
MAX_REGIONS = 64
MAX_CORNERS = 256
MIN_LENGTH = 1e-5
"""Of a line, in fractions of the frame."""
_MAX_NAME = 200


def encode_region(region: Region) -> dict[str, Any]:
    """The JSON value of a region; fields that the first clients did not know only where given."""
    if isinstance(region, Zone):
        document = _document("zone", region.points, region.name)
        return document | ({"min_dwell_s": region.min_dwell_s} if region.min_dwell_s else {})
    ends = ((region.x1, region.y1), (region.x2, region.y2))
    document = _document("line", ends, region.name)
    if region.extend:
        document["extend"] = True
    if (region.in_name, region.out_name) != ("in", "out"):
        document |= {"in_name": region.in_name, "out_name": region.out_name}
    return document


def _document(kind: str, points: tuple[tuple[float, float], ...], name: str) -> dict[str, Any]:
    return {"kind": kind, "points": [list(point) for point in points], "name": name}


def decode_region(value: Any) -> Region:
    """The region that a JSON value describes.

    Raises:
        ProtocolError: invalid, or nothing could cross the line or be in the zone.
    """
    if not isinstance(value, dict):
        raise ProtocolError("invalid region")
    fields = Fields(value, "region")
    kind = fields.one_of("kind", ("line", "zone"))
    points = fields.items("points", _point, MAX_CORNERS)
    name = fields.text("name", _MAX_NAME, "")
    if (len(points) != 2) if kind == "line" else (len(points) < 3):
        raise fields.invalid("points")
    try:
        return _line(fields, points, name) if kind == "line" else _zone(fields, points, name)
    except UsageError as error:
        raise ProtocolError(f"region: {error.problem}") from error


def _line(fields: Fields, points: tuple[tuple[float, float], ...], name: str) -> Line:
    line = Line(
        *points[0],
        *points[1],
        name,
        in_name=fields.text("in_name", _MAX_NAME, "in"),
        out_name=fields.text("out_name", _MAX_NAME, "out"),
        extend=fields.flag("extend", False),
    )
    line.check()
    # The core compares pixels as 32-bit numbers, in which closer ends may be one.
    if max(abs(line.x2 - line.x1), abs(line.y2 - line.y1)) < MIN_LENGTH:
        raise ProtocolError(f"region: the line {line.name!r:.40} has hardly any length")
    return line


def _zone(fields: Fields, points: tuple[tuple[float, float], ...], name: str) -> Zone:
    zone = Zone(points, name, fields.number("min_dwell_s", 0.0))
    zone.check()
    return zone


def _point(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise ProtocolError("invalid point")
    x, y = (number(one, lambda: ProtocolError("invalid point")) for one in value)
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise ProtocolError("a point outside of 0 to 1: give fractions of width and height")
    return x, y
