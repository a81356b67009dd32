"""`tallylens pick` without a browser: the grid, the frame at a time, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tallylens.edge_runtime.types import Image
from tallylens.pick.frame import read_frame
from tests.sdk.pick.conftest import Picking
from tests.support.squares import scene

Tallylens = Callable[..., Any]


def load(path: Path) -> Image:
    return np.asarray(cv2.imread(str(path)), np.uint8)


def test_a_grid_is_written_without_a_browser(
    tallylens: Tallylens, crossing: Path, tmp_path: Path
) -> None:
    path = tmp_path / "grid.png"
    outcome = tallylens("pick", crossing, "--grid", path)
    assert (outcome.status, outcome.out) == (0, f"wrote {path}\n")
    image = load(path)
    assert image.shape == (128, 128, 3)
    # Below the labels, only the lines of the tenths are bright in the dark frame.
    row = image[70, :, 0] > 200
    for step in range(3, 10):
        assert row[round(step * 12.8)]
        assert not row[round(step * 12.8 + 6)]


def test_regions_are_drawn_over_the_grid(
    tallylens: Tallylens, crossing: Path, tmp_path: Path
) -> None:
    path = tmp_path / "grid.png"
    line = "0,96,128,96,road"
    outcome = tallylens("pick", crossing, "--grid", path, "--line", line, "--json")
    assert outcome.status == 0
    assert json.loads(outcome.out) == {
        "source": str(crossing),
        "at_s": 0.0,
        "width": 128,
        "height": 128,
        "options": ["--line", "0,0.75,1,0.75,road"],
        "grid": str(path),
    }
    assert tuple(load(path)[96, 120]) == (0, 215, 255)


def test_the_frame_is_the_first_at_the_time_or_after(
    tallylens: Tallylens, crossing: Path, tmp_path: Path
) -> None:
    outcome = tallylens("pick", crossing, "--grid", tmp_path / "grid.png", "--at", "1.45", "--json")
    assert json.loads(outcome.out)["at_s"] == 1.5
    found = read_frame(str(crossing), 1.45)
    assert found.at_s == 1.5
    expected = scene()[15].astype(np.int16)
    assert np.abs(found.image - expected).mean() < 3
    assert np.abs(read_frame(str(crossing)).image - expected).mean() > 3


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (
            ["--at", "60"],
            2,
            "--at is 60, and {} ends after 2.9 seconds. Use a time before its end.",
        ),
        (["--at", "-1"], 2, "not a number of seconds"),
        (["--grid", "x.txt"], 2, "unsupported report format '.txt'"),
        (["--grid", "missing/x.png"], 2, "the folder of missing/x.png does not exist"),
        (["--line", "1,2,3"], 2, "expected 4 coordinates, got 3"),
        (["--zone", "0,0,1,1,1,0,0,1"], 2, "the sides of a zone cross"),
        (["--port", "0"], 2, "not a port from 1 to 65535"),
    ],
)
def test_what_cannot_be_used_is_explained(
    tallylens: Tallylens, crossing: Path, options: list[str], status: int, message: str
) -> None:
    outcome = tallylens("pick", crossing, *options)
    assert outcome.status == status
    assert message.format(crossing) in outcome.err


def test_recorded_detections_hold_no_frame(tallylens: Tallylens, tmp_path: Path) -> None:
    path = tmp_path / "street.npz"
    path.write_bytes(b"PK")
    outcome = tallylens("pick", path)
    assert outcome.status == 2
    assert "holds detections only" in outcome.err


@pytest.mark.slow
def test_ctrl_c_ends_it_with_what_is_drawn(picking: Callable[..., Picking], crossing: Path) -> None:
    running = picking(crossing, "--line", "0,0.5,1,0.5", "--json")
    status, out = running.end(signal.SIGINT)
    assert status == 130
    assert json.loads(out)["options"] == ["--line", "0,0.5,1,0.5"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the browser here is a shell script")
def test_the_browser_is_given_an_address_that_is_valid_once(crossing: Path, tmp_path: Path) -> None:
    script, given = tmp_path / "browser", tmp_path / "address"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {given}.part && mv {given}.part {given}\n')
    script.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "tallylens", "pick", crossing],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "BROWSER": f"{script} %s"},
    )
    try:
        assert process.stderr is not None
        shown = process.stderr.readline()
        assert "The page is open in your browser; its address is http://127.0.0.1:" in shown
        address = given.read_text()
        assert address not in shown
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.url in shown
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(address, timeout=10)
        refused.value.close()
    finally:
        process.kill()
        process.communicate()
