"""Fixtures for every room's tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import hypothesis
import pytest

# The same examples each time, however slow the machine.
hypothesis.settings.register_profile("tallylens", derandomize=True, deadline=None)
hypothesis.settings.load_profile("tallylens")

REPOSITORY = Path(__file__).resolve().parent.parent


def _data_folder() -> Path:
    return Path(os.environ.get("TALLYLENS_DATA", REPOSITORY.parent / "shared" / "data"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "realdata: needs the shared data (TALLYLENS_DATA)")
    # A shell starts background jobs with the interrupt ignored, and children inherit that: a test
    # that interrupts a command would then find it deaf.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, saying so, what needs data that is not here."""
    if _data_folder().is_dir():
        return
    skip = pytest.mark.skip(reason=f"no test data in {_data_folder()} (set TALLYLENS_DATA)")
    for item in items:
        if "realdata" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with real weights, images and videos."""
    return _data_folder()
