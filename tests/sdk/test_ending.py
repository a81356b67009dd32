"""A count that is ended early: by a signal, or by the reader of its events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter as Tally
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.support import squares

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes differ there"),
]
LINE = "0,0.5,1,0.5,road"
PATIENCE_S = 120
STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crossings all the time, for longer than any of these tests counts."""
    path = tmp_path_factory.mktemp("video") / "long.mp4"
    return squares.write_video(path, squares.scene() * 120)


def start(model: Path, source: Path, *more: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tallylens", "count", source, "--model", model]
    return subprocess.Popen(
        [str(one) for one in (*command, "--line", LINE, *more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def crossings(lines: list[str]) -> dict[str, int]:
    events = [json.loads(line) for line in lines]
    directions = {"crossed_in": "in", "crossed_out": "out"}
    return Tally(directions[one["event"]] for one in events if one["event"] in directions)


def wait_for_events(path: Path, process: subprocess.Popen[str], count: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while not (path.exists() and path.read_bytes().count(b"\n") >= count):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.003)


@pytest.mark.parametrize("number", STATUSES)
@pytest.mark.parametrize("moment", range(10))
def test_a_signal_writes_everything_that_was_counted(
    number: signal.Signals, moment: int, tiny_model: Path, long_video: Path, tmp_path: Path
) -> None:
    outputs = {name: tmp_path / name for name in ("r.json", "r.html", "e.jsonl", "s", "v.mp4")}
    process = start(
        tiny_model,
        long_video,
        *("--json", "--report", outputs["r.json"], "--report", outputs["r.html"]),
        *("--events", outputs["e.jsonl"], "--state", outputs["s"], "--annotate", outputs["v.mp4"]),
    )
    # Moments at which each of many places of the code is interrupted.
    wait_for_events(outputs["e.jsonl"], process, 1 + 3 * moment)
    time.sleep(0.0037 * moment)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == STATUSES[number], err
    assert "Traceback" not in err
    assert "tallylens: interrupted; these are the counts so far\n" in err
    report = json.loads(outputs["r.json"].read_text())
    assert json.loads(out) == report
    assert report["interrupted"] is True
    assert 0 < report["frames"] < 9000
    assert total(report) == crossings(outputs["e.jsonl"].read_text().splitlines())
    video = cv2.VideoCapture(str(outputs["v.mp4"]))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == report["frames"]
    assert sorted(tmp_path.iterdir()) == sorted(outputs.values())
    assert resumed_frames(tiny_model, long_video, outputs) == report["frames"]


def total(report: dict[str, Any]) -> dict[str, int]:
    (line,) = report["lines"]
    return Tally({way: sum(line[way].values()) for way in ("in", "out") if line[way]})


def resumed_frames(model: Path, source: Path, outputs: dict[str, Path]) -> int:
    """The frame at which the saved state resumes."""
    more = ("--events", outputs["e.jsonl"], "--state", outputs["s"])
    process = start(model, source, *more)
    assert process.stderr is not None
    said = process.stderr.readline()
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    return int(said.removeprefix("tallylens: resuming after ").split()[0])


def test_a_signal_before_the_first_frame_has_its_status(tiny_model: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    process = start(tiny_model, pipe)
    # The command opens the pipe to read, and waits for its first bytes.
    descriptor = os.open(pipe, os.O_WRONLY)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE_S)
    os.close(descriptor)
    assert (process.returncode, err) == (143, "tallylens: interrupted\n")


CTRL_C_AT_AN_IMPORT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *more):
        if name == imported:
            os.kill(os.getpid(), signal.SIGINT)

imported, sys.argv = sys.argv[1], ["tallylens", *sys.argv[2:]]
sys.meta_path.insert(0, Finder())
from tallylens.__main__ import start
sys.exit(start())
"""


@pytest.mark.parametrize(
    ("imported", "arguments"),
    [("tallylens.commands", ["models", "list"]), ("tallylens.counter", ["count", "no.mp4"])],
)
def test_ctrl_c_while_the_program_is_loaded(imported: str, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C_AT_AN_IMPORT, imported, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "tallylens: interrupted\n")


def test_a_hangup_that_nohup_ignores_does_not_end_the_count(
    tiny_model: Path, crossing: Path, tmp_path: Path
) -> None:
    events = tmp_path / "e.jsonl"
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(tiny_model, crossing, "--events", events, "--json")
    finally:
        signal.signal(signal.SIGHUP, previous)
    wait_for_events(events, process, 1)
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert json.loads(out)["interrupted"] is False


def test_a_terminal_that_is_closed_loses_no_report(
    tiny_model: Path, long_video: Path, tmp_path: Path
) -> None:
    import pty

    report, events = tmp_path / "r.json", tmp_path / "e.jsonl"
    command = [sys.executable, "-m", "tallylens", "count", long_video, "--model", tiny_model]
    command += ["--line", LINE, "--report", report, "--events", events]
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [str(one) for one in command], stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    end = time.monotonic() + PATIENCE_S
    while not (events.exists() and events.stat().st_size) and time.monotonic() < end:
        os.read(master, 65536)
    os.close(master)
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE_S) == 129
    document = json.loads(report.read_text())
    assert total(document) == crossings(events.read_text().splitlines())


def test_a_reader_of_events_that_ends_ends_the_count_with_a_table(
    tiny_model: Path, long_video: Path
) -> None:
    process = start(tiny_model, long_video, "--events", "-")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"]
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 141
    assert "tallylens: the reader of --events - has ended; the count ends\n" in err
    assert "Traceback" not in err
    assert "road" in err
    assert "total" in err


def test_a_reader_of_events_that_ends_leaves_the_other_outputs(
    tiny_model: Path, crossing: Path, tmp_path: Path
) -> None:
    report = tmp_path / "r.json"
    process = start(tiny_model, crossing, "--events", "-", "--report", report)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 141
    assert "the reader of --events - has ended; the count continues without it\n" in err
    document = json.loads(report.read_text())
    assert document["interrupted"] is False
    assert total(document) == {"in": 1, "out": 1}


@pytest.mark.parametrize("lines", [1, 2, 3, 5, 8, 13, 21, 34, 55, 89])
def test_a_shell_pipe_to_head_reports(tiny_model: Path, long_video: Path, lines: int) -> None:
    count = f"'{sys.executable}' -m tallylens count '{long_video}' --model '{tiny_model}'"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{count} --line {LINE} --events - | head -{lines}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 141
    assert done.stdout.count("\n") == lines
    assert "unique" in done.stderr
    assert "Traceback" not in done.stderr
