"""Fixtures that tests of several packages share."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest

# The same examples each time, however slow the machine.
hypothesis.settings.register_profile("tallylens", derandomize=True, deadline=None)
hypothesis.settings.load_profile("tallylens")

REPOSITORY = Path(__file__).resolve().parent.parent

HEAVY = {"coremltools", "tensorflow", "torch"}
_LOADED_BEFORE = pytest.StashKey[set[str]]()


def _data_folder() -> Path:
    return Path(os.environ.get("TALLYLENS_DATA", REPOSITORY.parent / "shared" / "data"))


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with the interrupt ignored, and children inherit that: a test
    # that interrupts a command would then wait for ever.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _chromium() -> str | None:
    """The Chromium of this machine, which tests of pages run in."""
    names = (os.environ.get("CHROMIUM", "chromium"), "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need what this machine lacks; in CI those of the browser fail instead."""
    if not os.environ.get("CI") and (_chromium() is None or find_spec("playwright") is None):
        reason = "needs Chromium and playwright: apt install chromium, pip install playwright"
        for item in items:
            if "browser" in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))
    if _data_folder().is_dir():
        return
    skip = pytest.mark.skip(
        reason=f"needs real models, images and videos: {_data_folder()} does not exist. "
        "Set TALLYLENS_DATA to a folder as described in tests/README.md"
    )
    for item in items:
        if "realdata" in item.keywords:
            item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Note which heavy libraries earlier tests have loaded."""
    item.stash[_LOADED_BEFORE] = HEAVY.intersection(sys.modules)
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Keep the fast tier fast: only tests marked `slow` may load a heavy library."""
    yield
    before: set[str] = item.stash[_LOADED_BEFORE]
    loaded = HEAVY.intersection(sys.modules) - before
    if loaded and item.get_closest_marker("slow") is None:
        pytest.fail(f"it loads {', '.join(sorted(loaded))}: mark it with pytest.mark.slow")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with real weights, images and videos."""
    return _data_folder()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    path = _chromium()
    assert path is not None, "Chromium is missing: apt install chromium, or set CHROMIUM"
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The detector of squares as an .onnx that runs as it is."""
    import onnx

    from tests.support.squares import tiny_model_proto

    path = tmp_path_factory.mktemp("model") / "squares.onnx"
    onnx.save(tiny_model_proto(), path)
    return path


@pytest.fixture(scope="session")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of three seconds in which a car goes down and a person goes up."""
    from tests.support.squares import scene, write_video

    return write_video(tmp_path_factory.mktemp("video") / "crossing.mp4", scene())


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test an empty folder of models, so that it neither reads nor fills the user's."""
    monkeypatch.setenv("TALLYLENS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@dataclass(frozen=True)
class Outcome:
    """Exit status and output of a command."""

    status: int
    out: str
    err: str


@pytest.fixture
def tallylens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Run a command in this process, without the progress that a slow machine would show."""
    from tallylens.cli import main

    monkeypatch.setattr("tallylens.terminal.progress.QUIET_S", float("inf"))

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        return Outcome(status, out, err)

    return run
