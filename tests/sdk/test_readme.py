"""Commands and code in README.md run as they stand."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tallylens.commands import COMMANDS as COMMAND_MODULES
from tallylens.edge_runtime.sources import open_source
from tests.support import squares

pytestmark = pytest.mark.slow

README = Path(__file__).resolve().parents[2] / "README.md"
TEXT = README.read_text(encoding="utf-8")
COMMANDS = [
    command.replace("\\\n", " ")
    for command in re.findall(r"^    tallylens ((?:.+\\\n)*.+)$", TEXT, re.MULTILINE)
]
CAMERA = "rtsp://camera/1"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
FRAMES = 16
IMAGES = 4


@pytest.fixture
def workplace(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that README.md names, each cut short."""
    with open_source(data / "videos" / "street.mp4") as frames:
        pictures = [frame.image for frame in islice(frames, FRAMES)]
    squares.write_video(tmp_path / "street.mp4", pictures, fps=24)
    shutil.copy(data / "models" / "yolov5n.pt", tmp_path)
    for source, target in (
        ("images/calib", "my-images"),
        ("images/val", "val/images"),
        ("labels/val", "val/labels"),
    ):
        (tmp_path / target).mkdir(parents=True)
        for path in sorted((data / "coco" / source).iterdir())[:IMAGES]:
            shutil.copy(path, tmp_path / target)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_are_found() -> None:
    verbs = [shlex.split(command)[0] for command in COMMANDS]
    assert {"count", "convert", "eval", "benchmark"} <= set(verbs)


@pytest.mark.realdata
def test_the_commands_run_in_their_order(workplace: Path, tallylens: Callable[..., Any]) -> None:
    # Commands that count a camera come last, with the model of a later section, and count the
    # video, which has no clock of its own.
    video = "street.mp4 --starts-at 2026-05-01T08:00:00"
    for command in sorted(COMMANDS, key=lambda one: CAMERA in one):
        if command.startswith("serve "):
            check_serves(shlex.split(command))
            continue
        outcome = tallylens(*shlex.split(command.replace(CAMERA, video)))
        assert outcome.status == 0, (command, outcome.err)
        assert outcome.out, command
        assert "Traceback" not in outcome.err


def check_serves(arguments: list[str]) -> None:
    """A server starts, and SIGTERM ends it."""
    command = [sys.executable, "-m", "tallylens", *arguments, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        lines: list[str] = []
        for line in server.stderr:
            lines.append(line)
            if "listening on port" in line:
                break
        server.terminate()
        rest = server.communicate(timeout=60)[1]
        assert "listening on port" in lines[-1], lines
        assert "Traceback" not in "".join([*lines, rest])
        assert server.returncode in (0, 128 + signal.SIGTERM)


@pytest.mark.realdata
def test_the_python_runs(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = SNIPPETS
    names: dict[str, Any] = {}
    exec(first, names)
    assert re.fullmatch(r"\{'car': \d+\} \{.*\}\n", capsys.readouterr().out)
    # The others continue in your own camera loop.
    image = cv2.imread(str(next((workplace / "my-images").iterdir())))
    names["counter"] = names["Counter"]("yolov5n.pt")
    names |= {"frame": np.ascontiguousarray(image), "timestamp": 0.0}
    for snippet in others:
        exec(snippet, names)
    assert len(names["tracks"]) == 0


def test_files_it_points_to_are_there() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (README.parent / link).exists(), link


def test_every_option_it_names_exists(tallylens: Callable[..., Any]) -> None:
    helps = "".join(
        tallylens(verb, "--help").out for verb in (command.NAME for command in COMMAND_MODULES)
    )
    for option in set(re.findall(r"`?(--[a-z][a-z-]+)", TEXT)):
        assert option in helps, option
