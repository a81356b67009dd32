"""The images of the count page: regions over a frame, and the heat map of paths."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..counting.region import Point, RegionReport
from ..counting.regions import REGIONS
from ..counting.report import Report
from ..sources.opencv import load_cv2
from ..text import markup

if TYPE_CHECKING:
    from ..counting.history import Heat

# On a photograph, whatever the page's scheme.
IN, OUT, LINE, ZONE, IGNORED = "#34d399", "#fbbf24", "#ffffff", "#60a5fa", "#f97316"


def images(report: Report) -> str:
    """The section with the two images; empty without a frame."""
    history = report.history
    jpeg = history.picture() if history is not None else None
    if history is None or jpeg is None:
        return ""
    size = history.frame_size
    photo = _image("image/jpeg", jpeg, size, 'id="photo"')
    pairs = list(zip(report.regions, report.outlines, strict=True))
    # Areas first, so that no line is hidden.
    pairs.sort(key=lambda pair: REGIONS[pair[0].kind].shape == "segment")
    regions = "".join(_region(region, points, size) for region, points in pairs)
    ignored = "".join(map(_ignored, report.filters.get("ignore", ())))
    figures = [_figure(photo + ignored + regions, size, "Counting regions")]
    if history.heat.any():
        shade = '<rect width="100%" height="100%" fill="#000" opacity="0.55"/>'
        warmth = _image("image/png", heat_png(history.heat), size)
        caption = "Paths of objects: the brighter, the more of them"
        figures.append(_figure(f'<use href="#photo"/>{shade}{warmth}', size, caption))
    return f'<section><div class="images">{"".join(figures)}</div></section>'


def heat_png(heat: Heat) -> bytes:
    """The heat map as a small PNG with transparency, in logarithmic steps."""
    cv2 = load_cv2()
    share = np.log1p(heat.astype(np.float64)) / math.log1p(float(heat.max()))
    # A single path must be visible, too.
    visible = np.where(heat > 0, 0.35 + 0.65 * share, 0)
    levels = cv2.GaussianBlur((255 * visible).astype(np.uint8), (3, 3), 0)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    opacity = np.clip(levels.astype(np.uint16) * 2, 0, 230).astype(np.uint8)
    _, data = cv2.imencode(".png", np.dstack([colors, opacity]))
    return bytes(data.tobytes())


def _figure(drawing: str, size: tuple[int, int], caption: str) -> str:
    width, height = size
    return (
        f'<figure><svg class="frame" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{markup(caption)}">{drawing}</svg>'
        f"<figcaption>{markup(caption)}</figcaption></figure>"
    )


def _image(kind: str, data: bytes, size: tuple[int, int], more: str = "") -> str:
    encoded = base64.b64encode(data).decode()
    return (
        f'<image {more} width="{size[0]}" height="{size[1]}" preserveAspectRatio="none" '
        f'href="data:{kind};base64,{encoded}"/>'
    )


def _unit(size: tuple[int, int]) -> float:
    """A length that scales with the size of the frame."""
    return max(size) / 640


def _region(region: RegionReport, points: Sequence[Point], size: tuple[int, int]) -> str:
    draw = _segment if REGIONS[region.kind].shape == "segment" else _polygon
    return draw(region, points, size)


def _segment(region: RegionReport, points: Sequence[Point], size: tuple[int, int]) -> str:
    """The line, and an arrow from its middle in each direction, with the total of it."""
    unit = _unit(size)
    start, end = points
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    length = max(math.dist(start, end), 1e-6)
    # A quarter turn clockwise on the screen: to the right when facing from start to end.
    right = (-(end[1] - start[1]) / length, (end[0] - start[0]) / length)
    parts = [
        f'<line {_ends(start, end)} stroke="#000" stroke-opacity=".6" stroke-width="{5 * unit:g}"/>'
        f'<line {_ends(start, end)} stroke="{LINE}" stroke-width="{2.5 * unit:g}"/>'
    ]
    arrows = ((right, IN), ((-right[0], -right[1]), OUT))
    totals = region.counts().items()
    for ((dx, dy), color), (name, counts) in zip(arrows, totals, strict=False):
        tip = (middle[0] + 44 * unit * dx, middle[1] + 44 * unit * dy)
        side = (middle[0] + 58 * unit * dx, middle[1] + 58 * unit * dy)
        parts.append(_arrow(middle, tip, color, unit))
        parts.append(_label(side, f"{name} {sum(counts.values())}", color, unit, size))
    parts.append(_label((start[0], start[1] - 12 * unit), region.name, LINE, unit, size))
    return "".join(parts)


def _arrow(start: Point, tip: Point, color: str, unit: float) -> str:
    dx, dy = (tip[0] - start[0]) / 44, (tip[1] - start[1]) / 44
    left = (tip[0] - 12 * dx - 7 * dy, tip[1] - 12 * dy + 7 * dx)
    right = (tip[0] - 12 * dx + 7 * dy, tip[1] - 12 * dy - 7 * dx)
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in (tip, left, right))
    shaft = _ends(start, (tip[0] - 10 * dx, tip[1] - 10 * dy))
    return (
        f'<line {shaft} stroke="{color}" stroke-width="{4 * unit:g}"/>'
        f'<polygon points="{corners}" fill="{color}"/>'
    )


def _polygon(region: RegionReport, points: Sequence[Point], size: tuple[int, int]) -> str:
    """The outline, with the last of the region's totals."""
    unit = _unit(size)
    title, counts = list(region.counts().items())[-1]
    label = f"{region.name} {title} {sum(counts.values())}"
    outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    left, top = min(x for x, _ in points), min(y for _, y in points)
    at = (left + 6 * unit * len(label) + 6 * unit, top + 14 * unit)
    return (
        f'<polygon points="{outline}" fill="{ZONE}" fill-opacity=".22" stroke="{ZONE}" '
        f'stroke-width="{2 * unit:g}"/>{_label(at, label, "#fff", unit, size)}'
    )


def _ignored(zone: Mapping[str, Any]) -> str:
    """A zone in which nothing is counted, darkened."""
    outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in zone["points"])
    return (
        f'<polygon points="{outline}" fill="#000" fill-opacity=".5" stroke="{IGNORED}" '
        f'stroke-width="2" stroke-dasharray="8 5" vector-effect="non-scaling-stroke">'
        f"<title>{markup(zone['name'])}</title></polygon>"
    )


def _label(at: Point, label: str, color: str, unit: float, size: tuple[int, int]) -> str:
    """Text with a dark outline, readable on any image and kept inside it."""
    font = 20 * unit
    half = 0.34 * font * len(label)
    x = min(max(at[0], half), max(size[0] - half, half))
    y = min(max(at[1] + font / 3, font), size[1] - font / 3)
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{font:g}" font-weight="700" '
        f'text-anchor="middle" fill="{color}" stroke="#000" stroke-width="{font / 5:g}" '
        f'paint-order="stroke" font-family="system-ui, sans-serif">{markup(label)}</text>'
    )


def _ends(start: Point, end: Point) -> str:
    return f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
