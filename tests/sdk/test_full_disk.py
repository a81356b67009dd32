"""Counts whose disk becomes full: they end with a report and a status, and nothing is half-written.

The disk is a small tmpfs, where this user may mount one; elsewhere a limit of the file size.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import squares

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="tmpfs and limits are those of Linux"),
]
DISK_BYTES = 256 << 10
LINE = "0,0.5,1,0.5,road"
SCENES = 20


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty cars down and twenty persons up."""
    path = tmp_path_factory.mktemp("video") / "long.mp4"
    return squares.write_video(path, squares.scene() * SCENES)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with one free block of 4 KiB, beside a file `fill`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user cannot mount a tmpfs")
    (folder / "fill").write_bytes(bytes(DISK_BYTES - 4096))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


Count = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def count(tiny_model: Path, video: Path) -> Count:
    def run(*more: object, file_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
        def limit() -> None:
            if file_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        command = [sys.executable, "-m", "tallylens", "count", video, "--model", tiny_model]
        return subprocess.run(
            [str(one) for one in (*command, "--line", LINE, *more)],
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=limit,
        )

    return run


def crossings(events: Path) -> dict[str, int]:
    """Crossings by direction; fails at a line that was cut off."""
    kinds = [json.loads(line)["event"] for line in events.read_text().splitlines()]
    return {"in": kinds.count("crossed_in"), "out": kinds.count("crossed_out")}


def totals(report: Path) -> dict[str, int]:
    (line,) = json.loads(report.read_text())["lines"]
    return {way: sum(line[way].values()) for way in ("in", "out")}


OUTPUTS: dict[str, tuple[str, ...]] = {
    "events.jsonl": ("--events",),
    "crops": ("--crops",),
    "video.mp4": ("--annotate",),
    "found.npz": ("--detections",),
    "state": ("--state-every", "0.1", "--state"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_full_disk_leaves_the_report_and_nothing_half_written(
    name: str, count: Count, disk: Path, tmp_path: Path
) -> None:
    report, output = tmp_path / "r.json", disk / name
    if name == "state":
        # The first save fits, the next one needs more space beside it.
        (disk / "fill").write_bytes(bytes(DISK_BYTES - 8192))
    done = count(*OUTPUTS[name], output, "--report", report)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    document: dict[str, Any] = json.loads(report.read_text())
    assert document["frames"] > 0
    (said,) = [one for one in document["warnings"] if str(output) in one]
    assert "the disk is full" in said or "could not be written" in said
    assert said in done.stderr
    left = [path.name for path in disk.rglob("*") if path.is_file() and path.name != "fill"]
    if name == "events.jsonl":
        assert left == [name]
        missing = sum(totals(report).values()) - sum(crossings(output).values())
        assert 0 <= missing <= 1
    elif name == "state":
        assert left in ([name], [])
    elif name != "crops":
        assert left == []
    assert not [one for one in left if "part" in one]


def test_events_are_whole_after_the_disk_was_full_and_the_count_resumed(
    count: Count, disk: Path, tmp_path: Path
) -> None:
    report, events, state = tmp_path / "r.json", disk / "e.jsonl", tmp_path / "state"
    options = ("--events", events, "--state", state, "--state-every", "0.01", "--report", report)
    assert count(*options).returncode == 4
    assert 0 < sum(totals(report).values()) < 2 * SCENES
    (disk / "fill").unlink()
    done = count(*options)
    assert done.returncode == 0, done.stderr
    assert totals(report) == crossings(events) == {"in": SCENES, "out": SCENES}


def test_a_full_disk_of_one_report_is_said(count: Count, disk: Path) -> None:
    (disk / "fill").write_bytes(bytes(DISK_BYTES))
    done = count("--report", disk / "r.json", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["frames"] == 30 * SCENES
    assert f"{disk / 'r.json'} cannot be written: the disk is full" in done.stderr
    assert [path.name for path in disk.iterdir()] == ["fill"]


def test_a_limit_of_the_file_size_ends_events_with_a_whole_line(
    count: Count, tmp_path: Path
) -> None:
    report, events = tmp_path / "r.json", tmp_path / "e.jsonl"
    done = count("--events", events, "--report", report, file_bytes=4000)
    assert done.returncode == 3
    assert f"{events}: the file cannot be written (File too large)" in done.stderr
    assert 3000 < events.stat().st_size <= 4000
    missing = sum(totals(report).values()) - sum(crossings(events).values())
    assert 0 <= missing <= 1


def test_a_limit_of_the_file_size_discards_the_annotated_video(
    count: Count, tmp_path: Path
) -> None:
    report, video = tmp_path / "r.json", tmp_path / "v.mp4"
    done = count("--annotate", video, "--report", report, file_bytes=20_000)
    assert done.returncode == 4
    assert f"{video} could not be written. Free some disk space." in done.stderr
    assert totals(report) == {"in": SCENES, "out": SCENES}
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["r.json"]
