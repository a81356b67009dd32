"""The report as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..counting.report import ClassCounts, Report
from ..text import markup
from ..version import __version__
from .charts import clock, timeline
from .html import cards, notes, page, section, table
from .overlay import pictures

MOST_EVENTS = 500


def to_html(report: Report) -> str:
    """The whole page."""
    return page(
        title=_title(report),
        subtitle=_subtitle(report),
        parts=[
            cards(_figures(report)),
            notes(report.warnings),
            pictures(report),
            _per_class(report),
            _zones(report),
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
        parts.append("interrupted, this is what was counted so far")
    return " · ".join(parts)


def _figures(report: Report) -> Iterator[tuple[str, object]]:
    yield "different objects", sum(report.unique.values())
    for line in report.lines:
        yield f"{line.name}, {line.in_name}", sum(line.crossed_in.values())
        yield f"{line.name}, {line.out_name}", sum(line.crossed_out.values())
    for zone in report.zones:
        yield f"{zone.name}, entered", sum(zone.entered.values())
        yield f"{zone.name}, now inside", sum(zone.now.values())


def _per_class(report: Report) -> str:
    columns: list[tuple[str, ClassCounts]] = [("different objects", report.unique)]
    for line in report.lines:
        columns.append((f"{line.name}, {line.in_name}", line.crossed_in))
        columns.append((f"{line.name}, {line.out_name}", line.crossed_out))
    for zone in report.zones:
        columns.append((f"{zone.name}, entered", zone.entered))
    names = dict.fromkeys(name for _, counts in columns for name in counts)
    head = ["class", *(title for title, _ in columns)]
    rows = [[name, *(counts.get(name, 0) for _, counts in columns)] for name in names]
    total = ["total", *(sum(counts.values()) for _, counts in columns)]
    return section("Totals by class", table(head, rows, total))


def _zones(report: Report) -> str:
    if not report.zones:
        return ""
    rows = [
        [
            zone.name,
            sum(zone.entered.values()),
            sum(zone.now.values()),
            f"{zone.mean_dwell_s:.1f} s",
            f"{zone.max_dwell_s:.1f} s",
        ]
        for zone in report.zones
    ]
    head = ["zone", "entered", "now inside", "mean stay", "longest stay"]
    return section("Stays in zones", table(head, rows))


def _uncounted(report: Report) -> str:
    """What was seen and left out, so that a total is no riddle."""
    left_out = report.uncounted
    parts = [
        f"{number:,} detections of {name}, which was not asked for"
        for name, number in sorted(left_out.get("other_classes", {}).items())
    ]
    if short := left_out.get("short_tracks", 0):
        longest = left_out.get("longest_short_track_s", 0.0)
        parts.append(f"{short:,} tracks too short or unclear, the longest of {longest:.2f} s")
    if weak := left_out.get("weak_detections", 0):
        parts.append(f"{weak:,} detections too weak for anything")
    if report.skipped:
        parts.append(f"{report.skipped:,} frames left out to keep the rate that was asked for")
    if report.dropped:
        parts.append(f"{report.dropped:,} live frames that came while another was worked on")
    items = "".join(f"<li>{markup(part)}</li>" for part in parts)
    return section("Not counted", f"<ul>{items}</ul>") if parts else ""


def _periods(report: Report) -> str:
    if not report.periods:
        return ""
    rows = []
    for period in report.periods:
        crossed = "; ".join(
            f"{line.name}: {sum(line.crossed_in.values())} {line.in_name}, "
            f"{sum(line.crossed_out.values())} {line.out_name}"
            for line in period.lines
        )
        rows.append([period.start, period.end, sum(period.unique.values()), crossed])
    head = ["from", "to", "different objects", "crossings"]
    return section("Closed periods", table(head, rows), long=True)


def _events(report: Report) -> str:
    history = report.history
    if history is None or not history.events:
        return ""
    shown = list(history.events)[-MOST_EVENTS:]
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
    head = ["when", "what", "who", "where", "which way", "confidence", "track age"]
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
        f"(inference {speed.inference_ms:.1f} ms, the rest {speed.host_ms:.2f} ms a frame) · "
        f"tallylens {__version__}"
    )
