"""The Swift package passes its own check, where Swift is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[3] / "mobile_bindings" / "ios" / "check"
HAS_SWIFT = Path("/opt/swift/usr/bin/swift").is_file()


def run(*steps: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, CHECK, *steps], capture_output=True, text=True, check=False
    )


def test_an_unknown_step_is_refused() -> None:
    done = run("nothing")
    assert done.returncode == 2
    assert "unknown step nothing; steps: build" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not HAS_SWIFT, reason="needs Swift in /opt/swift")
def test_the_package_passes_its_check() -> None:
    done = run()
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].endswith(" passed, 0 failed")
