"""Fixtures of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Run


@pytest.fixture
def count(tallylens: Run, tiny_model: Path, crossing: Path) -> Run:
    """`tallylens count` of the crossing with the tiny model, and more arguments."""

    def run(*more: object, source: object = crossing, model: object = tiny_model) -> Any:
        return tallylens("count", source, "--model", model, *more)

    return run
