"""Tests of the file of an upload."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tallylens.cloud_fallback.jobs.upload_file import (
    BusyFileError,
    DiskFullError,
    UploadFile,
    make_file,
)

HOLD = """
import sys
from pathlib import Path
from tallylens.cloud_fallback.jobs.upload_file import UploadFile
file = UploadFile(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def test_its_length_is_the_offset(tmp_path: Path) -> None:
    path = tmp_path / "file"
    make_file(path)
    for block, offset in ((b"abc", 3), (b"", 3), (b"de", 5)):
        file = UploadFile(path)
        file.append(block)
        assert file.offset == offset
        file.close()
    assert path.read_bytes() == b"abcde"


def test_a_new_file_replaces_none(tmp_path: Path) -> None:
    make_file(tmp_path / "file")
    with pytest.raises(FileExistsError):
        make_file(tmp_path / "file")


def test_a_file_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        UploadFile(tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.slow
def test_another_process_is_kept_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    make_file(path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(BusyFileError):
            UploadFile(path)
        other.kill()
    UploadFile(path).close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
def test_a_full_disk() -> None:
    file = UploadFile(Path("/dev/full"))
    with pytest.raises(DiskFullError):
        file.append(b"x")
    # It cannot be brought to the disk either, as a device.
    with pytest.raises(OSError, match="Invalid argument"):
        file.close()
