"""All files appear whole, or none does."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tallylens.edge_runtime.errors import InputError, UnavailableError
from tallylens.edge_runtime.files import write_all


def test_writes_every_file_and_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    write_all({folder / "a": b"1", folder / "b": b"2"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a": b"1",
        "b": b"2",
    }


def test_replaces_what_was_there_with_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "ordinary").write_bytes(b"")
    write_all({tmp_path / "a": b"new"})
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.fixture(params=[OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def interruption(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type:
    """The second file's bytes do not get to the disk."""
    calls = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise request.param

    monkeypatch.setattr(os, "fsync", fsync)
    return UnavailableError if isinstance(request.param, OSError) else KeyboardInterrupt


def test_nothing_is_left_when_interrupted(tmp_path: Path, interruption: type) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(interruption):
        write_all({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_a_full_disk_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnavailableError) as failure:
        write_all({tmp_path / "a": b"1"})
    assert str(failure.value) == (
        f"{tmp_path / 'a'} cannot be written: the disk is full. "
        "Free some space or choose another folder; nothing was changed."
    )


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="Choose a writable output folder"):
        write_all({tmp_path / "file" / "a": b"1"})


def test_a_folder_in_the_way_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError) as failure:
        write_all({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert str(failure.value) == (
        f"{tmp_path / 'b'}: the file cannot be written (it is a folder). "
        "Choose a writable output folder."
    )
    assert (tmp_path / "a").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


PACKAGE = {"Manifest.json": b"new", "Data/weights/weight.bin": b"new"}


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    write_all({tmp_path / "net": PACKAGE, tmp_path / "a": b"1"})
    assert files_in(tmp_path) == {f"net/{n}": c for n, c in PACKAGE.items()} | {"a": b"1"}


def test_a_folder_takes_the_place_of_its_like(tmp_path: Path) -> None:
    write_all({tmp_path / "net": dict.fromkeys(PACKAGE, b"old")})
    write_all({tmp_path / "net": PACKAGE})
    assert files_in(tmp_path) == {f"net/{name}": content for name, content in PACKAGE.items()}
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_a_folder_with_other_files_is_kept(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "thesis.txt").write_bytes(b"dear")
    with pytest.raises(InputError) as failure:
        write_all({tmp_path / "a": b"1", tmp_path / "net": PACKAGE})
    assert str(failure.value) == (
        f"{tmp_path / 'net'}: the file cannot be written (the folder holds other files "
        "(thesis.txt)). Choose a writable output folder."
    )
    assert files_in(tmp_path) == {"net/thesis.txt": b"dear"}


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_or_link_in_the_place_of_a_folder_is_kept(tmp_path: Path, kind: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    if kind == "file":
        (tmp_path / "net").write_bytes(b"dear")
    else:
        (tmp_path / "net").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="it is a file"):
        write_all({tmp_path / "net": PACKAGE})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "net"]


def test_an_interrupted_folder_leaves_the_old_one(tmp_path: Path, interruption: type) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "Manifest.json").write_bytes(b"old")
    with pytest.raises(interruption):
        write_all({tmp_path / "net": PACKAGE})
    assert files_in(tmp_path) == {"net/Manifest.json": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all({tmp_path / "net": dict.fromkeys(PACKAGE, b"old")})
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if target.name == "net" and (self / "Manifest.json").read_bytes() == b"new":
            raise OSError(errno.EIO, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(InputError, match="Input/output error"):
        write_all({tmp_path / "net": PACKAGE})
    assert files_in(tmp_path) == {f"net/{name}": b"old" for name in PACKAGE}
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_nothing_to_write(tmp_path: Path) -> None:
    write_all({})
    assert list(tmp_path.iterdir()) == []
