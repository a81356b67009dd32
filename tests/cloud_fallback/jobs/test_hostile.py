"""Tests of invalid and misleading files: refused with a reason, or counted."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import odd_videos
from tests.support.video_server import VideoServer, wait_until

pytestmark = pytest.mark.slow
NOT_A_VIDEO = "the file is not a video of a supported format"
MEMORY_KIB = 1 << 20


@pytest.fixture(scope="module")
def counting_server(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path
) -> Iterator[VideoServer]:
    """A server with one worker, which the tests of this module share; it must live to their end."""
    server = VideoServer(tmp_path_factory.mktemp("counting"), tiny_model, workers=1).start()
    server.wait_for_workers(1)
    (worker,) = server.workers()
    yield server
    assert server.workers() == [worker], server.log()[-3000:]
    for process in (worker, server.process.pid if server.process else worker):
        status = Path(f"/proc/{process}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        assert int(peak.split()[1]) <= MEMORY_KIB
    server.stop()


@pytest.fixture
def bait(tmp_path: Path) -> Iterator[tuple[Path, socket.socket]]:
    """A named pipe and a listener that nobody may touch."""
    pipe = tmp_path / "bait"
    os.mkfifo(pipe)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        yield pipe, listener
        with pytest.raises(BlockingIOError):
            listener.accept()
    # Without waiting, a pipe can be opened for writing only once somebody has opened it to read.
    with pytest.raises(OSError, match="No such device") as error:
        os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    assert error.value.errno == errno.ENXIO


def outcome(server: VideoServer, path: Path) -> dict[str, Any]:
    return server.wait(server.upload(path))


def refused(server: VideoServer, path: Path) -> str:
    ended = outcome(server, path)
    assert ended["state"] == "failed", ended
    assert server.get(f"/v1/videos/{ended['video']}").json()["state"] == "refused"
    assert str(server.videos) not in ended["error"]
    return str(ended["error"])


@pytest.mark.parametrize("name", sorted(odd_videos.PLAYLISTS))
def test_playlists_lead_nowhere(
    counting_server: VideoServer, tmp_path: Path, bait: tuple[Path, socket.socket], name: str
) -> None:
    pipe, listener = bait
    port = listener.getsockname()[1]
    for place in (str(pipe), f"http://127.0.0.1:{port}/a.mp4", f"tcp://127.0.0.1:{port}"):
        path = tmp_path / name
        path.write_text(odd_videos.PLAYLISTS[name].format(bait=place, port=port))
        assert refused(counting_server, path) == NOT_A_VIDEO


def test_samples_in_another_file(
    counting_server: VideoServer, tmp_path: Path, bait: tuple[Path, socket.socket]
) -> None:
    plain = odd_videos.write(tmp_path / "plain.mov")
    path = odd_videos.with_external_reference(tmp_path / "outside.mov", plain, bait[0])
    ended = outcome(counting_server, path)
    # Its own bytes may be read as if the samples were in it; nothing else is opened.
    assert ended["state"] in ("done", "failed")


def test_a_long_still_in_a_small_file(counting_server: VideoServer, tmp_path: Path) -> None:
    path = odd_videos.write(tmp_path / "still.mp4", 2, times=[0, 36_000_000])
    assert path.stat().st_size < 1 << 20
    assert "seconds; at most 600 are allowed" in refused(counting_server, path)


def test_frames_that_are_too_large(counting_server: VideoServer, tmp_path: Path) -> None:
    path = odd_videos.huge(tmp_path / "huge.avi")
    assert refused(counting_server, path) == "the frames of the video have no valid size"
    path = odd_videos.write(tmp_path / "large.mp4", 1, side=4096)
    assert refused(counting_server, path) == (
        "its longer side is 4096 pixels; at most 3840 are allowed"
    )


def test_frames_that_change_their_size(counting_server: VideoServer, tmp_path: Path) -> None:
    ended = outcome(counting_server, odd_videos.write_changing_size(tmp_path / "changing.ts"))
    assert ended["state"] == "failed"
    assert "is 160x160, the frames before were 128x128" in ended["error"]


def test_a_file_that_is_cut_off(counting_server: VideoServer, tmp_path: Path) -> None:
    whole = odd_videos.write(tmp_path / "whole.mkv", 200).read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    ended = outcome(counting_server, path)
    assert ended["state"] == "done"
    assert 0 < ended["frames"] < 200
    path = tmp_path / "cut.mp4"
    # Its index is at the end.
    whole = odd_videos.write(tmp_path / "whole.mp4", 200).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(counting_server, path) == NOT_A_VIDEO


@pytest.mark.parametrize("name", ["clip.exe", "clip", "clip.jpg", "clip.m3u8", "clip\n.mp4"])
def test_the_name_decides_nothing(counting_server: VideoServer, tmp_path: Path, name: str) -> None:
    path = odd_videos.write(tmp_path / f"{len(name)}.mp4", 20 + len(name))
    job = counting_server.upload(path, name=name)
    assert counting_server.wait(job)["frames"] == 20 + len(name)


def test_one_frame(counting_server: VideoServer, tmp_path: Path) -> None:
    ended = outcome(counting_server, odd_videos.write(tmp_path / "one.mp4", 1))
    assert (ended["state"], ended["frames"]) == ("done", 1)


def test_no_frame(counting_server: VideoServer, tmp_path: Path) -> None:
    whole = odd_videos.write(tmp_path / "some.mkv").read_bytes()
    path = tmp_path / "none.mkv"
    path.write_bytes(whole[: whole.index(b"\x1f\x43\xb6\x75")])
    assert refused(counting_server, path) in ("the video has no frames", NOT_A_VIDEO)


def test_sound_only(counting_server: VideoServer, tmp_path: Path) -> None:
    path = odd_videos.write_sound(tmp_path / "sound.m4a")
    assert refused(counting_server, path) == "the file has no video stream"


def test_a_codec_that_is_not_taken(counting_server: VideoServer, tmp_path: Path) -> None:
    path = odd_videos.write(tmp_path / "old.avi", codec="msmpeg4", pixels="yuv420p")
    assert "videos of the codec msmpeg4" in refused(counting_server, path)


def test_frames_at_uneven_times(counting_server: VideoServer, tmp_path: Path) -> None:
    times = [index * 40 + (index % 3) * 9 for index in range(60)]
    ended = outcome(counting_server, odd_videos.write(tmp_path / "uneven.mp4", 60, times=times))
    assert (ended["state"], ended["frames"]) == ("done", 60)
    assert counting_server.report(ended["id"])["seconds"] == pytest.approx(2.378, abs=0.01)


def test_ten_bits(counting_server: VideoServer, tmp_path: Path) -> None:
    path = odd_videos.write(tmp_path / "ten.mp4", pixels="yuv420p10le")
    ended = outcome(counting_server, path)
    assert (ended["state"], ended["frames"]) == ("done", 30)


def test_random_bytes_inside_a_video(counting_server: VideoServer, tmp_path: Path) -> None:
    content = bytearray(odd_videos.write(tmp_path / "good.mp4", 200).read_bytes())
    for at in range(500, len(content) // 2, 97):
        content[at] ^= 0xFF
    path = tmp_path / "bad.mp4"
    path.write_bytes(bytes(content))
    assert outcome(counting_server, path)["state"] in ("done", "failed")


def test_a_video_that_ends_every_worker(tmp_path: Path, tiny_model: Path, crossing: Path) -> None:
    """No file is at hand that does it, so each worker is killed as soon as it has the job."""
    folder = tmp_path / "killed"
    folder.mkdir()
    server = VideoServer(folder, tiny_model, workers=1, environment={"OMP_NUM_THREADS": "1"})
    with server.start().running():
        path = odd_videos.write(tmp_path / "long.mp4", 14_000, fps=200)
        job = server.upload(path)

        def kill_when_running() -> bool:
            document = server.job(job)
            if document["state"] == "running" and not document["frames"]:
                for worker in server.workers():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
            return bool(document["state"] == "failed" or document["frames"])

        wait_until(kill_when_running, server.log(), every_s=0.002, patience_s=120)
        ended = server.wait(job)
        # A worker that was quick enough has made progress, which this test allows.
        if not ended["frames"]:
            assert ended["error"] == "a worker ended 3 times at frame 0"
        # The server lives, and so do the videos of others.
        assert server.wait(server.upload(crossing))["state"] == "done"
