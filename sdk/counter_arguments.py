"""Checks the arguments of `Counter`: a wrong one is named at once, with the form to use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from numbers import Real
from typing import Any

import numpy as np

from tallylens.edge_runtime.core import CounterOptions, TrackCounter
from tallylens.edge_runtime.core.counter_options import ANCHORS
from tallylens.edge_runtime.counting.regions import Line, Region, Zone
from tallylens.edge_runtime.errors import CoreError, UsageError
from tallylens.edge_runtime.types import Detections

_FORMS = {
    "lines": "Line(0, 0.6, 1, 0.6)",
    "zones": "Zone(((0, 0), (1, 0), (1, 1)))",
    "ignore": "Zone(((0, 0), (1, 0), (1, 1)))",
    "regions": "Line(0, 0.6, 1, 0.6)",
}


def checked_model(model: object) -> str | os.PathLike[str]:
    """The model, if it can be the name of one."""
    if isinstance(model, str | os.PathLike) and os.fspath(model):
        return model
    raise UsageError(
        f"the model is {model!r}"[:200], "Use the path of a file, or a name in the model store"
    )


def checked_regions(**given: Any) -> list[Region]:
    """All regions of the arguments `lines`, `zones`, ... as one list, checked."""
    return [region for name, regions in given.items() for region in _regions(name, regions)]


def checked_zones(name: str, zones: Any) -> list[Zone]:
    """The zones of the argument `name`, checked."""
    return _regions(name, zones)


def _regions(name: str, regions: Any) -> list[Any]:
    form = f"Use a list: {name}=[{_FORMS[name]}]"
    if isinstance(regions, str | Line | Zone) or not isinstance(regions, Iterable):
        raise UsageError(f"{name} is {regions!r}"[:200], form)
    return [_region(name, region, form) for region in regions]


def _region(name: str, region: Any, form: str) -> Any:
    wanted = {"lines": Line, "zones": Zone, "ignore": Zone}.get(name)
    if isinstance(region, str):
        parse = "Line.parse" if name == "lines" else "Zone.parse"
        raise UsageError(f"{name} holds the text {region!r}"[:200], f"Use {parse}({region!r})")
    if not (hasattr(region, "check") if wanted is None else isinstance(region, wanted)):
        raise UsageError(f"{name} holds {region!r}"[:200], form)
    if isinstance(region, Zone):
        region = _with_pairs(region, form)
    try:
        region.check()
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} holds {region!r}, which is not a region"[:200], form) from error
    return region


def _with_pairs(zone: Zone, form: str) -> Zone:
    """The zone with its corners as pairs, which may be given as an array or as lists."""
    try:
        corners = tuple(zone.points)
        if all(isinstance(corner, tuple) and len(corner) == 2 for corner in corners):
            return zone if isinstance(zone.points, tuple) else replace(zone, points=corners)
        return replace(zone, points=tuple((float(x), float(y)) for x, y in corners))
    except (TypeError, ValueError) as error:
        raise UsageError(f"the corners of a zone are {zone.points!r}"[:200], form) from error


def checked_names(name: str, given: Any) -> list[str] | None:
    """Class names of the argument `name` as a list, None if there are none."""
    if given is None:
        return None
    if isinstance(given, str):
        words = [word.strip() for word in given.split(",")]
        raise UsageError(f"{name} is the text {given!r}"[:200], f"Use a list: {words}"[:200])
    if not isinstance(given, Iterable):
        raise UsageError(f"{name} is {given!r}"[:200], "Use a list: ['car', 'bus']")
    names = list(given)
    for one in names:
        if not isinstance(one, str):
            raise UsageError(f"{name} holds {one!r}"[:200], "Use the names of classes, not ids")
    return names


def checked_options(options: Any) -> CounterOptions:
    """The options, the defaults for None, if the core takes them."""
    if options is None:
        return CounterOptions()
    if not isinstance(options, CounterOptions):
        raise UsageError(f"options is {options!r}"[:200], "Use CounterOptions(...)")
    if options.anchor not in ANCHORS:
        choices = ", ".join(ANCHORS)
        raise UsageError(f"the anchor is {options.anchor!r}"[:200], f"Use one of: {choices}")
    for field in fields(options):
        if field.name != "anchor":
            checked_number(field.name, getattr(options, field.name))
    try:
        TrackCounter(1, (1, 1), options=options)
    except CoreError as error:
        problem, _, remedy = error.message.removeprefix("counter: ").partition("; use ")
        raise UsageError(problem, f"Use {remedy}") from error
    return options


def checked_number(
    name: str, value: Any, least: float = -math.inf, most: float = math.inf
) -> float:
    """A number of the argument `name` between bounds; infinity is one."""
    if isinstance(value, Real) and not isinstance(value, bool) and least <= float(value) <= most:
        return float(value)
    if most < math.inf:
        bounds = f"a number from {least:g} to {most:g}"
    else:
        bounds = "a number" if least == -math.inf else f"{least:g} or more"
    raise UsageError(f"{name} is {value!r}"[:200], f"Use {bounds}")


def checked_size(imgsz: Any) -> tuple[int, int] | None:
    """The input size as (height, width); one number is both."""
    if imgsz is None:
        return None
    sides = imgsz if isinstance(imgsz, Sequence | np.ndarray) else (imgsz, imgsz)
    if len(sides) == 2 and all(_is_whole(side) and side > 0 for side in sides):
        return int(sides[0]), int(sides[1])
    raise UsageError(f"imgsz is {imgsz!r}"[:200], "Use 640, or (height, width) such as (384, 640)")


def checked_frame_size(size: Any) -> tuple[int, int]:
    """The (width, height) of frames."""
    sides = size if isinstance(size, Sequence | np.ndarray) and not isinstance(size, str) else ()
    if len(sides) == 2 and all(_is_whole(side) and side > 0 for side in sides):
        return int(sides[0]), int(sides[1])
    raise UsageError(f"the size is {size!r}"[:200], "Use (width, height) in pixels")


def checked_workers(workers: Any) -> int | None:
    """The number of workers."""
    if workers is None or (_is_whole(workers) and workers > 0):
        return None if workers is None else int(workers)
    raise UsageError(f"workers is {workers!r}"[:200], "Use 1 or more")


def checked_moment(starts_at: Any) -> int | None:
    """A moment in nanoseconds since 1970."""
    if starts_at is None or _is_whole(starts_at):
        return None if starts_at is None else int(starts_at)
    raise UsageError(
        f"starts_at is {starts_at!r}"[:200],
        "Use nanoseconds since 1970, such as int(moment.timestamp() * 1e9)",
    )


def checked_time(timestamp_s: Any) -> float:
    """A capture time in seconds; its bounds are checked where it is counted."""
    if isinstance(timestamp_s, Real):
        return float(timestamp_s)
    raise UsageError(f"the timestamp is {timestamp_s!r}"[:200], "Use seconds from any origin")


def checked_detections(found: Any) -> Detections:
    """Detections whose fields are arrays; their values are checked where they are counted."""
    if not isinstance(found, Detections):
        raise UsageError(f"the detections are {found!r}"[:200], "Use Detections(...)")
    given = (found.xyxy, found.confidence, found.class_id)
    if all(isinstance(one, np.ndarray) for one in given):
        return found
    try:
        xyxy, confidence = (np.asarray(one, np.float32) for one in given[:2])
        return Detections(xyxy, confidence, np.asarray(found.class_id, np.int32))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the detections are {found!r}"[:200],
            "Use arrays: xyxy (n, 4) in pixels, confidence (n,) and class_id (n,)",
        ) from error


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool | np.ndarray)
