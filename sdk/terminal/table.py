"""A count report as a table for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tallylens.edge_runtime.counting.report import ClassCounts, Report
from tallylens.edge_runtime.text import printable

# More do not fit into 80 characters with names of ordinary length.
MAX_COLUMNS = 4
MAX_WIDTH = 1000


def print_report(report: Report, console: Console | None = None) -> None:
    """Print the totals by class, then dwell times, speed and warnings.

    Directions of lines and zones are columns, or rows if there are many.
    """
    console = console or _Console()
    columns = _columns(report)
    frames = "1 frame" if report.frames == 1 else f"{report.frames} frames"
    heading = f"{report.source}: {frames}, {report.seconds:.1f} s"
    console.print(_text(heading), soft_wrap=True)
    wide = _wide(columns)
    needed = console.measure(wide, options=console.options.update(width=MAX_WIDTH)).minimum
    fits = len(columns) <= MAX_COLUMNS and needed <= console.width
    console.print(wide if fits else _long(columns))
    for region in report.regions:
        durations = [f"{title} {value:.1f} s" for title, value in region.durations_s().items()]
        if durations:
            console.print(_text(f"{region.name}: {', '.join(durations)}"), soft_wrap=True)
    for doubt in report.doubts():
        console.print(_text(doubt), soft_wrap=True)
    speed = report.speed
    stages = f"inference {speed.inference_ms:.1f} ms, pre/post-processing {speed.host_ms:.2f} ms"
    rate = f"{speed.fps:.0f} frames/s with {report.engine}"
    console.print(_text(f"{rate} ({stages} per frame)"), soft_wrap=True)
    for warning in report.warnings:
        console.print(_text(f"note: {warning}"), soft_wrap=True)


def print_report_on_stderr(report: Report) -> None:
    """Print the totals where standard output is taken by something else."""
    print_report(report, _Console(stderr=True))


def _wide(columns: list[tuple[str, ClassCounts]]) -> Table:
    """A table with one row per class, and the totals."""
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
    """A table with one row per region and direction, which more of them need."""
    table = Table()
    table.add_column("region", overflow="fold")
    table.add_column("total", justify="right", overflow="fold")
    table.add_column("by class", overflow="fold")
    for title, counts in columns:
        classes = ", ".join(f"{number} {name}" for name, number in counts.items())
        table.add_row(_text(title), str(sum(counts.values())), _text(classes))
    return table


def _text(text: str) -> Text:
    """Text without markup: names come from files and users, and may hold brackets."""
    return Text(printable(text))


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, which the command line treats as success."""
        raise


def _columns(report: Report) -> list[tuple[str, ClassCounts]]:
    columns: list[tuple[str, ClassCounts]] = []
    for region in report.regions:
        for title, counts in region.counts().items():
            columns.append((f"{region.name} {title}", counts))
    return [*columns, ("unique objects", report.unique)]
