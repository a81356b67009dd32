"""Reports on disk, in the form that the file's ending asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..counting.report import Report
from ..errors import InputError, UsageError
from ..files import write_all


def _html(report: Report) -> str:
    from .count_page import to_html

    return to_html(report)


WRITERS: dict[str, Callable[[Report], str]] = {
    ".json": Report.to_json,
    ".jsonl": Report.to_jsonl,
    ".csv": Report.to_csv,
    ".html": _html,
}


def check_report_paths(paths: Sequence[Path]) -> None:
    """Find out before hours of counting that a report could not be written.

    Raises:
        UsageError: an ending that no writer knows, or a folder that is not there.
        InputError: a folder that may not be written to.
    """
    for path in paths:
        check_output(path, tuple(WRITERS))


def check_output(path: Path, endings: tuple[str, ...]) -> None:
    """Raise as `check_report_paths` does, for one file of any kind that ends in one of these."""
    if path.suffix.lower() not in endings:
        raise UsageError(
            f"{path} is no report that can be written", f"End it in {', '.join(endings)}"
        )
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "Give the report another name")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"the folder of {path} does not exist", "Make it first")
    if not os.access(folder, os.W_OK):
        raise InputError(
            path, "its folder cannot be written to", "Choose a folder that you can write to"
        )


def write_reports(report: Report, paths: Sequence[Path]) -> None:
    """Write all files whole, or none."""
    texts = {path: WRITERS[path.suffix.lower()](report) for path in paths}
    # A source's name may hold bytes that are no text.
    write_all({path: text.encode(errors="backslashreplace") for path, text in texts.items()})
