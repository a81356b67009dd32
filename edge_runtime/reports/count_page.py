"""The HTML report of a count, as one page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..counting.region import ClassCounts, RegionReport
from ..counting.regions import REGIONS
from ..counting.report import Report
from ..text import markup
from ..version import __version__
from .charts import clock, timeline
from .html import cards, notes, page, section, table
from .labels import counts_label
from .overlay import images

MAX_EVENTS = 500


def to_html(report: Report) -> str:
    """The whole page."""
    return page(
        title=_title(report),
        subtitle=_subtitle(report),
        parts=[
            cards(_figures(report)),
            notes([*report.warnings, *report.doubts()]),
            images(report),
            _per_class(report),
            _durations(report),
            _uncounted(report),
            timeline(report),
            _periods(report),
            _events(report),
        ],
        footer=_footer(report),
    )


def _title(report: Report) -> str:
    return f"Count of {report.source.replace(chr(92), '/').rpartition('/')[2] or report.source}"


def _subtitle(report: Report) -> str:
    parts = [f"{report.frames:,} frames", f"{clock(report.seconds)} of video"]
    if report.started is not None:
        parts.append(f"from {report.started}")
    if report.interrupted:
        parts.append("interrupted: these are the counts so far")
    return " · ".join(parts)


def _figures(report: Report) -> Iterator[tuple[str, object]]:
    for title, counts in _columns(report):
        yield title, sum(counts.values())


def _columns(report: Report) -> list[tuple[str, ClassCounts]]:
    """Each total with its title."""
    columns: list[tuple[str, ClassCounts]] = [("unique objects", report.unique)]
    for region in report.regions:
        for title, counts in region.counts().items():
            columns.append((f"{region.name}, {title}", counts))
    return columns


def _per_class(report: Report) -> str:
    columns = _columns(report)
    names = dict.fromkeys(name for _, counts in columns for name in counts)
    head = ["class", *(title for title, _ in columns)]
    rows = [[name, *(counts.get(name, 0) for _, counts in columns)] for name in names]
    total = ["total", *(sum(counts.values()) for _, counts in columns)]
    return section("Totals by class", table(head, rows, total))


def _durations(report: Report) -> str:
    """A table of dwell times for each kind of region that has any."""
    parts = []
    for kind in REGIONS:
        regions = [one for one in report.regions if one.kind == kind and one.durations_s()]
        if regions:
            head = [kind, *regions[0].counts(), *regions[0].durations_s()]
            parts.append(table(head, [_duration_row(one) for one in regions]))
    return section("Dwell times", "".join(parts)) if parts else ""


def _duration_row(region: RegionReport) -> list[object]:
    counts = [sum(counts.values()) for counts in region.counts().values()]
    return [region.name, *counts, *(f"{value:.1f} s" for value in region.durations_s().values())]


def _uncounted(report: Report) -> str:
    """Detections and frames that were not counted, which explain a total that is too small."""
    left_out = report.uncounted
    parts = [
        f"{number:,} detections of {name}, a class that was not asked for"
        for name, number in sorted(left_out.get("other_classes", {}).items())
    ]
    if short := left_out.get("short_tracks", 0):
        longest = left_out.get("longest_short_track_s", 0.0)
        parts.append(f"{short:,} tracks too short or uncertain, the longest {longest:.2f} s")
    if weak := left_out.get("weak_detections", 0):
        parts.append(f"{weak:,} detections below the minimum confidence")
    if ignored := left_out.get("ignored_detections", 0):
        parts.append(f"{ignored:,} detections in ignored zones, too small or too large")
    if report.skipped:
        parts.append(f"{report.skipped:,} frames skipped by rate control")
    if report.dropped:
        parts.append(f"{report.dropped:,} live frames dropped because another was being processed")
    items = "".join(f"<li>{markup(part)}</li>" for part in parts)
    return section("Not counted", f"<ul>{items}</ul>") if parts else ""


def _periods(report: Report) -> str:
    if not report.periods:
        return ""
    rows = []
    for period in report.periods:
        labels = (counts_label(region.name, region.counts()) for region in period.regions)
        rows.append([period.start, period.end, sum(period.unique.values()), "; ".join(labels)])
    head = ["from", "to", "unique objects", "regions"]
    return section("Closed periods", table(head, rows), long=True)


def _events(report: Report) -> str:
    history = report.history
    if history is None or not history.events:
        return ""
    shown = list(history.events)[-MAX_EVENTS:]
    rows = [
        [
            one["time"] or clock(one["time_s"]),
            one["event"].replace("_", " "),
            f"{one['class']} {one['track']}",
            one["place"] or "",
            one["direction"] or _before(one),
            f"{one['confidence']:.2f}",
            f"{one['age_s']:.1f} s",
        ]
        for one in shown
    ]
    head = ["time", "event", "object", "region", "direction", "confidence", "track age"]
    body = table(head, rows, texts=5)
    title = "Events"
    if len(shown) < history.events_seen:
        title = f"The last {len(shown):,} of {history.events_seen:,} events"
    return section(title, f'<div class="tall">{body}</div>', long=True)


def _before(record: dict[str, Any]) -> str:
    return f"was {record['previous_class']}" if record["previous_class"] else ""


def _footer(report: Report) -> str:
    speed = report.speed
    return (
        f"{report.source} · model {report.model} · {report.engine} · {speed.fps:.1f} frames/s "
        f"(inference {speed.inference_ms:.1f} ms, pre/post-processing {speed.host_ms:.2f} ms per "
        f"frame) · "
        f"tallylens {__version__}"
    )
