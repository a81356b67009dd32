"""The command line as a process of its own: signals, pipes, streams and names."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support import squares
from tests.support.command_line import LINE, Run, assert_one_error


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tallylens", *map(str, arguments)]


@pytest.fixture(scope="session")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that takes long to count; the car and the person come first."""
    pictures = squares.scene()
    black = np.zeros_like(pictures[0])
    path = tmp_path_factory.mktemp("video") / "hours.mp4"
    return squares.write_video(path, [*pictures, *[black] * 20_000])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another signal there")
def test_ctrl_c_writes_what_was_counted_so_far(
    tiny_model: Path, hours: Path, tmp_path: Path
) -> None:
    report, video = tmp_path / "r.json", tmp_path / "out.mp4"
    arguments = ["count", hours, "--model", tiny_model, "--line", LINE, "--json"]
    process = subprocess.Popen(
        command(*arguments, "--report", report, "--annotate", video),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert first.startswith("counting: ")
    assert process.returncode == 130
    assert "tallylens: interrupted; these are the counts so far\n" in err
    assert "Traceback" not in err
    document = json.loads(out)
    assert document["interrupted"] is True
    assert 30 < document["frames"] < 20_000
    ways = {"in": "in", "out": "out"}
    assert document["lines"] == [
        {"name": "line 1", "in": {"car": 1}, "out": {"person": 1}, "directions": ways}
    ]
    assert json.loads(report.read_text()) == document
    frames = cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT)
    # The signal may come between counting a frame and drawing it.
    assert document["frames"] - frames in (0, 1)
    assert sorted(tmp_path.iterdir()) == sorted([report, video])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_failure(
    tiny_model: Path, crossing: Path, more: list[str]
) -> None:
    process = subprocess.Popen(
        command("count", crossing, "--model", tiny_model, *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_output_that_cannot_be_written_is_3(tiny_model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("inspect", tiny_model), stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert done.returncode == 3
    assert done.stderr.startswith(b"tallylens: No space left on device.")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="closing a descriptor needs a Unix shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_may_be_closed(
    tiny_model: Path, crossing: Path, tmp_path: Path, closed: str
) -> None:
    report = tmp_path / "r.csv"
    arguments = " ".join(command("count", crossing, "--model", tiny_model, "--report", report))
    done = subprocess.run(
        f"{arguments} {closed}", shell=True, timeout=60, stdout=subprocess.DEVNULL
    )
    assert done.returncode == 0
    assert report.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only there a name can be any bytes")
def test_names_that_are_no_text_and_a_terminal_without_unicode(
    tiny_model: Path, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"ca\xff\xc3\xa9")
    odd.mkdir()
    for i, picture in enumerate(squares.scene(frames=3)):
        Path(odd, f"{i}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    for encoding in ("ascii", "utf-8"):
        for more in ([], ["--json"]):
            done = subprocess.run(
                command(
                    "count", odd, "--model", tiny_model, "--report", tmp_path / "r.json", *more
                ),
                capture_output=True,
                env={**os.environ, "PYTHONIOENCODING": encoding},
                timeout=60,
            )
            # Progress is shown where a machine takes more than two seconds.
            others = [line for line in done.stderr.splitlines() if b"counting: " not in line]
            assert (done.returncode, others) == (0, [])
            assert json.loads((tmp_path / "r.json").read_text())["frames"] == 3
            if more:
                assert json.loads(done.stdout)["source"] == str(odd)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a name can be any bytes")
def test_videos_whose_names_are_no_text_are_refused(
    count: Run, crossing: Path, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"ca\xff.mp4")
    odd.write_bytes(crossing.read_bytes())
    assert_one_error(count(source=odd), 3, "the path is not valid text. Rename the file")
    outcome = count("--annotate", tmp_path / os.fsdecode(b"\xfe.mp4"))
    assert_one_error(outcome, 2, "the name of the video is not valid text")
    assert list(tmp_path.iterdir()) == [odd]


@pytest.mark.slow
def test_opencv_and_ffmpeg_say_nothing_of_their_own(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(64))
    for source, status in ((tmp_path / "cut.mp4", 3), ("987", 4)):
        done = subprocess.run(
            command("count", source, "--model", tiny_model), capture_output=True, timeout=60
        )
        assert done.returncode == status
        assert done.stdout == b""
        assert done.stderr.count(b"\n") == 1
