"""Counts that another process resumes: the same totals, events and history, or an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens import Counter, Line, StateError, UsageError, Zone
from tallylens.counter import FrameResult
from tallylens.edge_runtime.counting.state_file import StateFile
from tests.support import squares

MIDDLE = Line(0, 0.5, 1, 0.5)
LOWER_HALF = Zone(((0, 0.5), (1, 0.5), (1, 1), (0, 1)))
KILLS = 20


def facts(report: Any) -> dict[str, Any]:
    """The facts that must not depend on how often the count was interrupted."""
    document = report if isinstance(report, dict) else report.as_dict()
    return {name: value for name, value in document.items() if name not in ("speed", "interrupted")}


def stop_after(frames: int) -> Callable[[FrameResult], None]:
    """Stop like a Ctrl-C would, after `frames` frames of this process."""
    left = [frames]

    def stop(_: FrameResult) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    return stop


@pytest.fixture
def make(tiny_model: Path) -> Callable[..., Counter]:
    return lambda **options: Counter(tiny_model, lines=[MIDDLE], zones=[LOWER_HALF], **options)


@pytest.mark.slow
@pytest.mark.parametrize("each", [1, 4, 7, 13])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_count_in_pieces_is_the_count(
    make: Callable[..., Counter], crossing: Path, tmp_path: Path, each: int, workers: int
) -> None:
    with make() as counter:
        whole = counter.run(crossing)
    state = tmp_path / "count.state"
    report = None
    for _ in range(40):
        with make(state=state, workers=workers) as counter:
            report = counter.run(crossing, on_frame=stop_after(each))
        if not report.interrupted:
            break
    assert report is not None
    assert facts(report) == facts(whole)
    assert report.history is not None
    assert whole.history is not None
    assert (report.history.heat == whole.history.heat).all()
    assert list(report.history.events) == list(whole.history.events)
    assert report.history.picture() is not None


def test_a_finished_count_is_told_again(
    make: Callable[..., Counter], crossing: Path, tmp_path: Path
) -> None:
    reports = []
    for _ in range(2):
        with make(state=tmp_path / "count.state") as counter:
            reports.append(counter.run(crossing))
    assert facts(reports[0]) == facts(reports[1])
    assert reports[1].frames == 30


def test_pairs_and_images_go_on_too(make: Callable[..., Counter], tmp_path: Path) -> None:
    pairs = squares.timed(squares.scene())
    with make() as counter:
        whole = counter.run(pairs)
    for stop in (stop_after(17), None):
        with make(state=tmp_path / "count.state") as counter:
            report = counter.run(pairs, on_frame=stop)
    assert facts(report) == facts(whole)


def test_events_are_written_once(
    make: Callable[..., Counter], crossing: Path, tmp_path: Path
) -> None:
    with make(events=tmp_path / "whole.jsonl") as counter:
        counter.run(crossing)
    events, state = tmp_path / "events.jsonl", tmp_path / "count.state"
    for stop in (stop_after(11), stop_after(6), None):
        with make(events=events, state=state) as counter:
            counter.run(crossing, on_frame=stop)
        if stop is not None:
            # A killed process's events after its last save are written again.
            with events.open("a") as file:
                file.write('{"event": "cut o')
    assert events.read_text() == (tmp_path / "whole.jsonl").read_text()


def damage(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("at", [0, 30, 90, -1, -1000])
def test_a_damaged_state_is_refused(
    make: Callable[..., Counter], crossing: Path, tmp_path: Path, at: int
) -> None:
    state = tmp_path / "count.state"
    with make(state=state) as counter:
        counter.run(crossing, on_frame=stop_after(5))
    damage(state, at)
    before = state.read_bytes()
    with pytest.raises(StateError, match=r"count\.state: the count cannot be resumed") as caught:
        make(state=state)
    assert caught.value.exit_status == 3
    assert state.read_bytes() == before


def test_a_state_of_something_else_is_refused(
    make: Callable[..., Counter],
    tiny_model: Path,
    crossing: Path,
    tmp_path: Path,
) -> None:
    state = tmp_path / "count.state"
    with make(state=state) as counter:
        counter.run(crossing, on_frame=stop_after(5))
    other = squares.write_video(tmp_path / "other.mp4", squares.scene(frames=9))
    with make(state=state) as counter, pytest.raises(StateError, match=r"source 'crossing\.mp4'"):
        counter.run(other)
    with (
        Counter(tiny_model, lines=[Line(0, 0.4, 1, 0.4)], zones=[LOWER_HALF], state=state) as moved,
        pytest.raises(StateError, match=r"count\.state"),
    ):
        moved.run(crossing)


def test_where_no_state_can_be(make: Callable[..., Counter], tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "count.state"):
        with pytest.raises(UsageError, match="the state cannot be saved to"):
            make(state=path)


def test_a_state_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = StateFile(tmp_path / "count.state")
    file.save({"frames": 1})

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Exception, match="the disk is full"):
        file.save({"frames": 2})
    assert StateFile(tmp_path / "count.state").load() == {"frames": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["count.state"]


# One process that has everything loaded, and for each try a copy of it: starts take no second each.
KILL_AGAIN_AND_AGAIN = """
import json, os, random, signal, sys, time
import cv2, onnxruntime
from tallylens import cli, counter
state, kills, arguments = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
chance = random.Random(7)

def counted():
    if not os.path.exists(state):
        return 0
    with open(state, "rb") as file:
        return json.loads(file.read().split(b"\\n", 1)[1])["frames"]

for _ in range(kills):
    enough = counted() + chance.randint(1, 60)
    process = os.fork()
    if not process:
        os._exit(cli.main(arguments))
    while counted() < enough:
        assert os.waitpid(process, os.WNOHANG) == (0, 0), "the count has ended by itself"
        time.sleep(0.002)
    time.sleep(0.02 * chance.random())
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status), "it was done before it was killed: the video is too short"
"""


def busy_scene(frames: int) -> list[np.ndarray]:
    """Squares that cross one after the other, both ways."""
    walkers = []
    pictures = [np.zeros((squares.SIDE, squares.SIDE, 3), np.uint8) for _ in range(frames)]
    for start in range(0, frames - 30, 20):
        walkers = [squares.DOWN, squares.UP][: 1 + start // 20 % 2]
        for offset, picture in enumerate(squares.scene(walkers)):
            pictures[start + offset] |= picture
    return pictures


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills copies of a loaded process")
def test_killed_at_random_and_started_again(tiny_model: Path, tmp_path: Path) -> None:
    """SIGKILL, twenty times, at random moments: the totals are those of an undisturbed run."""
    video = squares.write_video(tmp_path / "busy.mp4", busy_scene(2000))
    state, events = tmp_path / "count.state", tmp_path / "events.jsonl"
    command = ["count", str(video), "--model", str(tiny_model), "--json", "--workers", "2"]
    command += ["--line", "0,0.5,1,0.5", "--zone", "0,0.5,1,0.5,1,1,0,1"]
    kept = [*command, "--state", str(state), "--state-every", "0.01", "--events", str(events)]
    killing = [sys.executable, "-c", KILL_AGAIN_AND_AGAIN, str(state), str(KILLS), *kept]
    subprocess.run(killing, check=True, capture_output=True)
    assert 0 < json.loads(state.read_bytes().split(b"\n", 1)[1])["frames"] < 2000
    program = [sys.executable, "-m", "tallylens"]
    resumed = subprocess.run([*program, *kept], check=True, capture_output=True)
    undisturbed = [*program, *command, "--events", str(tmp_path / "whole.jsonl")]
    whole = subprocess.run(undisturbed, check=True, capture_output=True)
    assert facts(json.loads(resumed.stdout)) == facts(json.loads(whole.stdout))
    assert json.loads(whole.stdout)["lines"][0]["in"]["car"] > 50
    assert events.read_text() == (tmp_path / "whole.jsonl").read_text()
