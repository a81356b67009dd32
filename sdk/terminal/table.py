"""A report as people read it in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tallylens.edge_runtime.counting.report import ClassCounts, Report
from tallylens.edge_runtime.text import printable

# What 80 characters hold with names of ordinary length.
MOST_COLUMNS = 4


def print_report(report: Report, console: Console | None = None) -> None:
    """Totals by class, one column a line's direction or zone, then speed and warnings."""
    console = console or _Console()
    columns = _columns(report)
    heading = f"{report.source}: {report.frames} frames, {report.seconds:.1f} s"
    console.print(_text(heading), soft_wrap=True)
    console.print(_wide(columns) if len(columns) <= MOST_COLUMNS else _long(columns))
    for zone in report.zones:
        stays = f"{zone.mean_dwell_s:.1f} s on average, {zone.max_dwell_s:.1f} s at most"
        console.print(_text(f"{zone.name}: stays of {stays}"), soft_wrap=True)
    speed = report.speed
    each = f"inference {speed.inference_ms:.1f} ms, the rest {speed.host_ms:.2f} ms a frame"
    console.print(_text(f"{speed.fps:.0f} frames/s with {report.engine} ({each})"), soft_wrap=True)
    for warning in report.warnings:
        console.print(_text(f"note: {warning}"), soft_wrap=True)


def _wide(columns: list[tuple[str, ClassCounts]]) -> Table:
    """One row a class, and the totals."""
    table = Table()
    table.add_column("class")
    for title, _ in columns:
        table.add_column(_text(title), justify="right")
    for name in dict.fromkeys(name for _, counts in columns for name in counts):
        table.add_row(_text(name), *(str(counts.get(name, 0)) for _, counts in columns))
    table.add_section()
    table.add_row("total", *(str(sum(counts.values())) for _, counts in columns))
    return table


def _long(columns: list[tuple[str, ClassCounts]]) -> Table:
    """One row a place and direction, for more of them than a terminal is wide."""
    table = Table()
    table.add_column("where")
    table.add_column("total", justify="right")
    table.add_column("of these")
    for title, counts in columns:
        classes = ", ".join(f"{number} {name}" for name, number in counts.items())
        table.add_row(_text(title), str(sum(counts.values())), _text(classes))
    return table


def _text(text: str) -> Text:
    """Names come from files and users: no bracket in them is markup."""
    return Text(printable(text))


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line, where a reader that went away is no failure."""
        raise


def _columns(report: Report) -> list[tuple[str, ClassCounts]]:
    columns: list[tuple[str, ClassCounts]] = []
    for line in report.lines:
        columns.append((f"{line.name} {line.in_name}", line.crossed_in))
        columns.append((f"{line.name} {line.out_name}", line.crossed_out))
    for zone in report.zones:
        columns += [(f"{zone.name} now", zone.now), (f"{zone.name} entered", zone.entered)]
    return [*columns, ("seen in all", report.unique)]
