"""Assertions and types for tests of the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]
LINE = "0,0.5,1,0.5"


def assert_one_error(outcome: Any, status: int, text: str) -> None:
    """One line on stderr with `text` in it, nothing on stdout, and the exit status."""
    assert text in outcome.err
    assert outcome.status == status
    assert outcome.out == ""
    assert outcome.err.startswith("tallylens")
    assert outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err
