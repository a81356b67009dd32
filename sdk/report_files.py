"""Reports on disk, in the form that the file's ending asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.files import write_all
from tallylens.report import Report

WRITERS: dict[str, Callable[[Report], str]] = {".json": Report.to_json, ".csv": Report.to_csv}


def check_report_paths(paths: Sequence[Path]) -> None:
    """Find out before hours of counting that a report could not be written.

    Raises:
        UsageError: an ending that no writer knows, or a folder that is not there.
    """
    for path in paths:
        if path.suffix.lower() not in WRITERS:
            raise UsageError(
                f"{path} is no report that can be written", f"End it in {' or '.join(WRITERS)}"
            )
        if not path.resolve().parent.is_dir():
            raise UsageError(f"the folder of {path} does not exist", "Make it first")


def write_reports(report: Report, paths: Sequence[Path]) -> None:
    """Write all files whole, or none."""
    write_all({path: WRITERS[path.suffix.lower()](report).encode() for path in paths})
