from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

from tallylens.terminal.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the time, in seconds since the test began."""
    now = [1000.0]
    monkeypatch.setattr("tallylens.terminal.progress.time.monotonic", lambda: now[0])

    def set_time(seconds: float) -> None:
        now[0] = 1000.0 + seconds

    return set_time


def test_short_tasks_say_nothing(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("counting", 100, "frames") as progress:
        for done in range(100):
            clock(done * 0.019)
            progress.update(done, what="load" if done < 50 else "save")
    assert capsys.readouterr() == ("", "")


def test_a_line_after_two_seconds_and_then_every_ten(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("counting", 300, "frames") as progress:
        for second in range(30):
            clock(second)
            progress.update(10 * second)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["counting: 7%", "counting: 40%", "counting: 73%"]


def test_without_a_total_the_number_is_told(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("counting", None, "frames") as progress:
        clock(3)
        progress.update(41)
        clock(14)
        progress.update(50, total=200)
    assert capsys.readouterr().err.splitlines() == ["counting: 41 frames", "counting: 25%"]


def test_a_new_stage_is_told_at_once_in_a_long_task(
    clock: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("converting", 1.0) as progress:
        progress.update(0.0, what="load")
        clock(3)
        progress.update(0.2, what="load")
        clock(4)
        progress.update(0.3, what="calibrate")
        clock(5)
        progress.update(0.9, what="calibrate")
    assert capsys.readouterr().err.splitlines() == ["load: 20%", "calibrate: 30%"]


def all_of(leader: int) -> str:
    """Everything written to a pseudo-terminal whose other side is closed."""
    drawn = b""
    try:
        while piece := os.read(leader, 1 << 12):
            drawn += piece
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(leader)
    return drawn.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a Unix thing")
def test_a_bar_on_a_terminal_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = os.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with os.fdopen(follower, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        with Progress("counting", 10, "frames") as progress:
            progress.update(5)
            progress.update(10)
    drawn = all_of(leader)
    assert "counting" in drawn
    assert "frames/s" in drawn
    assert drawn.endswith(("\x1b[2K", "\x1b[?25h", "\x1b[1A\x1b[2K"))
