"""Report files: the format follows from the file's extension."""

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
    """Check that reports can be written, before hours of counting.

    Raises:
        UsageError: an unsupported format, or a missing folder.
        InputError: a folder that cannot be written to.
    """
    for path in paths:
        check_output(path, tuple(WRITERS))


def check_output(path: Path, endings: tuple[str, ...]) -> None:
    """Raise as `check_report_paths` does, for one file that must have one of these extensions."""
    if path.suffix.lower() not in endings:
        raise UsageError(
            f"unsupported report format {path.suffix!r} of {path}", f"Use {_choice(endings)}"
        )
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "Use another name for the report")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"the folder of {path} does not exist", "Make it first")
    if not os.access(folder, os.W_OK):
        raise InputError(
            path, "its folder cannot be written to", "Choose a folder that you can write to"
        )


def _choice(words: Sequence[str]) -> str:
    """`.json, .csv or .html`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def write_reports(report: Report, paths: Sequence[Path]) -> None:
    """Write all files whole, or none."""
    texts = {path: WRITERS[path.suffix.lower()](report) for path in paths}
    # A source's name may hold bytes that are not valid text.
    write_all({path: text.encode(errors="backslashreplace") for path, text in texts.items()})
