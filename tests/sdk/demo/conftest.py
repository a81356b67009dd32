"""A demo that has been run once, for all tests that look at what it left."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tallylens.cli import main

SHORT = ("--seconds", "5", "--fps", "10")


@dataclass(frozen=True)
class Ran:
    """A finished `tallylens demo --json` in `folder`."""

    folder: Path
    document: dict[str, Any]


@pytest.fixture
def run_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`tallylens demo` with a short scene in an empty folder: status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*more: str) -> tuple[int, str, str]:
        try:
            status = main(["demo", *SHORT, *more])
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def ran(run_demo: Callable[..., tuple[int, str, str]], tmp_path: Path) -> Ran:
    """The document and the folder of one run."""
    status, out, _ = run_demo("--json")
    assert status == 0
    return Ran(tmp_path / "tallylens-demo", json.loads(out))
