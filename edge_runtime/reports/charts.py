"""Bar charts of the count page: crossings and objects in view over time."""

from __future__ import annotations

import math

from ..counting.report import ClassCounts, Report
from ..text import markup

MAX_BARS = 120
HEIGHT = 100.0
# Widths in seconds at which a time axis reads well.
WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
COLORS = ("var(--in)", "var(--out)", "var(--zone)", "#a855f7", "#db2777", "#65a30d", "#0891b2")
Series = dict[str, dict[int, int]]


def timeline(report: Report) -> str:
    """The section with the charts; empty if nothing was seen."""
    width = bar_seconds(report.seconds)
    charts = []
    crossings = _crossings(report, width)
    if crossings:
        charts.append(_chart("Crossings", crossings, report.seconds, width, stacked=True))
    present = _present(report, width)
    if present:
        charts.append(
            _chart("Maximum in view at once", present, report.seconds, width, stacked=False)
        )
    return "".join(charts)


def bar_seconds(seconds: float) -> int:
    """How many seconds a bar stands for, so that there are at most MAX_BARS."""
    minimum = (math.floor(seconds) + 1) / MAX_BARS
    fitting = next((width for width in WIDTHS if width >= minimum), None)
    return fitting or WIDTHS[-1] * math.ceil(minimum / WIDTHS[-1])


def clock(seconds: float) -> str:
    """`1:02:03`, `2:03` or `3.4 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _crossings(report: Report, width: int) -> Series:
    if report.history is None:
        return {}
    series: Series = {}
    for time_s, numbers in report.history.crossings:
        for name, number in numbers.items():
            index, _, direction = name.partition(":")
            line = report.lines[int(index)]
            title = f"{line.name}, {line.in_name if direction == 'in' else line.out_name}"
            bars = series.setdefault(title, {})
            bars[int(time_s // width)] = bars.get(int(time_s // width), 0) + number
    return dict(sorted(series.items()))


def _present(report: Report, width: int) -> Series:
    bars: dict[int, int] = {}
    for time_s, counts in report.occupancy:
        index = int(time_s // width)
        bars[index] = max(bars.get(index, 0), _sum(counts))
    return {"objects": bars} if bars else {}


def _sum(counts: ClassCounts) -> int:
    return sum(counts.values())


def _chart(title: str, series: Series, seconds: float, width: int, *, stacked: bool) -> str:
    bars = math.floor(seconds / width) + 1
    heights = [sum(one.get(i, 0) for one in series.values()) for i in range(bars)]
    tallest = max(*heights, 1)
    shapes = []
    below = [0.0] * bars
    for number, (name, values) in enumerate(series.items()):
        color = COLORS[number % len(COLORS)] if stacked else "var(--bar)"
        for index, value in sorted(values.items()):
            if index >= bars:
                continue
            height = HEIGHT * value / tallest
            below[index] += height
            hint = f"{clock(index * width)}: {value} {name}"
            shapes.append(
                f'<rect x="{index + 0.08:g}" y="{HEIGHT - below[index]:.2f}" width="0.84" '
                f'height="{height:.2f}" fill="{color}"><title>{markup(hint)}</title></rect>'
            )
    drawing = (
        f'<svg class="bars" viewBox="0 0 {bars} {HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{markup(title)}">{"".join(shapes)}</svg>'
    )
    each = clock(width).removesuffix(".0 s") + (" s" if width < 60 else "")
    return (
        f"<section><h2>{markup(title)}</h2>{_key(series) if stacked else ''}<figure>{drawing}"
        f'<div class="axis"><span>0:00</span><span>{clock(seconds / 2)}</span>'
        f"<span>{clock(seconds)}</span></div>"
        f"<figcaption>One bar is {each}; the tallest is {tallest}.</figcaption></figure></section>"
    )


def _key(series: Series) -> str:
    items = (
        f'<span><i style="background:{COLORS[i % len(COLORS)]}"></i>{markup(name)}: '
        f"{sum(values.values())}</span>"
        for i, (name, values) in enumerate(series.items())
    )
    return f'<p class="key">{"".join(items)}</p>'
