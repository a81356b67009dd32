"""The report as one HTML file that needs nothing else: no script, no other file, no network.

Names come from models, files and users: every one is escaped, and the page's content policy
forbids scripts and requests besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from typing import Any

from tallylens.edge_runtime.version import __version__
from tallylens.report import ClassCounts, Report
from tallylens.report_pictures import pictures
from tallylens.report_timeline import clock, timeline
from tallylens.text import markup

TEMPLATE = Path(__file__).with_name("report_template.html")
MOST_EVENTS = 500
Cells = Sequence[tuple[str, bool]]


def to_html(report: Report) -> str:
    """The whole page."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        version=__version__,
        title=markup(_title(report)),
        subtitle=_subtitle(report),
        cards=_cards(report),
        notes=_notes(report),
        pictures=pictures(report),
        places=_per_class(report) + _zones(report),
        timeline=timeline(report),
        periods=_periods(report),
        events=_events(report),
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
    return markup(" · ".join(parts))


def _cards(report: Report) -> str:
    cards = [("different objects", sum(report.unique.values()))]
    for line in report.lines:
        cards.append((f"{line.name}, {line.in_name}", sum(line.crossed_in.values())))
        cards.append((f"{line.name}, {line.out_name}", sum(line.crossed_out.values())))
    for zone in report.zones:
        cards.append((f"{zone.name}, entered", sum(zone.entered.values())))
        cards.append((f"{zone.name}, now inside", sum(zone.now.values())))
    items = (
        f'<div class="card"><b>{number:,}</b><span>{markup(label)}</span></div>'
        for label, number in cards
    )
    return f'<div class="cards">{"".join(items)}</div>'


def _notes(report: Report) -> str:
    if not report.warnings:
        return ""
    items = "".join(f"<li>{markup(warning)}</li>" for warning in report.warnings)
    return f'<section class="notes"><h2>Notes</h2><ul>{items}</ul></section>'


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
    return section(title, f'<div class="events">{body}</div>', long=True)


def _before(record: dict[str, Any]) -> str:
    return f"was {record['previous_class']}" if record["previous_class"] else ""


def _footer(report: Report) -> str:
    speed = report.speed
    return markup(
        f"{report.source} · model {report.model} · {report.engine} · {speed.fps:.1f} frames/s "
        f"(inference {speed.inference_ms:.1f} ms, the rest {speed.host_ms:.2f} ms a frame) · "
        f"tallylens {__version__}"
    )


def section(title: str, body: str, *, long: bool = False) -> str:
    """A titled part of the page; `long` ones may break over printed pages."""
    kind = ' class="long"' if long else ""
    return f"<section{kind}><h2>{markup(title)}</h2>{body}</section>"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    total: Sequence[object] | None = None,
    texts: int = 1,
) -> str:
    """An HTML table; the first `texts` columns are words, the others figures."""

    def line(cells: Sequence[object], tag: str) -> str:
        parts = (
            f"<{tag}{' class=text' if i < texts else ''}>{markup(_figure(cell))}</{tag}>"
            for i, cell in enumerate(cells)
        )
        return f"<tr>{''.join(parts)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    foot = f"<tfoot>{line(total, 'td')}</tfoot>" if total is not None else ""
    return (
        f'<div class="scroll"><table><thead>{line(head, "th")}</thead>'
        f"<tbody>{body}</tbody>{foot}</table></div>"
    )


def _figure(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
