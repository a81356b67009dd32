"""A report as people read it in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tallylens.report import ClassCounts, Report


def print_report(report: Report, console: Console | None = None) -> None:
    """Totals by class, one column a line's direction or zone, then speed and warnings."""
    console = console or Console()
    columns = _columns(report)
    table = Table(title=f"{report.source}: {report.frames} frames, {report.seconds:.1f} s")
    table.add_column("class")
    for title, _ in columns:
        table.add_column(title, justify="right")
    classes = list(dict.fromkeys(name for _, counts in columns for name in counts))
    for name in classes:
        table.add_row(name, *(str(counts.get(name, 0)) for _, counts in columns))
    table.add_section()
    table.add_row("total", *(str(sum(counts.values())) for _, counts in columns))
    console.print(table)
    for zone in report.zones:
        console.print(
            f"{zone.name}: stays of {zone.mean_dwell_s:.1f} s on average, "
            f"{zone.max_dwell_s:.1f} s at most",
            markup=False,
        )
    speed = report.speed
    console.print(
        f"{speed.fps:.0f} frames/s with {report.engine} "
        f"(inference {speed.inference_ms:.1f} ms, the rest {speed.host_ms:.2f} ms a frame)",
        markup=False,
        highlight=False,
    )
    for warning in report.warnings:
        console.print(f"note: {warning}", markup=False, highlight=False)


def _columns(report: Report) -> list[tuple[str, ClassCounts]]:
    columns: list[tuple[str, ClassCounts]] = []
    for line in report.lines:
        columns += [(f"{line.name} in", line.crossed_in), (f"{line.name} out", line.crossed_out)]
    for zone in report.zones:
        columns += [(f"{zone.name} now", zone.now), (f"{zone.name} entered", zone.entered)]
    return [*columns, ("seen in all", report.unique)]
