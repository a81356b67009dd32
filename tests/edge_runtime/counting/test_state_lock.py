"""The lock of a state file: between processes, freed by their end, and never left behind."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tallylens.edge_runtime.counting.state_lock import StateLock
from tallylens.edge_runtime.errors import UnavailableError

pytest.importorskip("fcntl")
HOLD = """
import sys
from pathlib import Path
from tallylens.edge_runtime.counting.state_lock import StateLock
lock = StateLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
"""


@contextmanager
def held_by_another(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the lock until it reads a line."""
    program = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_another_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "road.state"
    with held_by_another(path) as process:
        with pytest.raises(UnavailableError, match="another process counts into") as caught:
            StateLock(path)
        assert str(path) in str(caught.value)
        assert caught.value.exit_status == 4
        StateLock(tmp_path / "other.state").release()
        process.communicate("\n")
    assert names(tmp_path) == []
    StateLock(path).release()
    assert names(tmp_path) == []


def test_the_end_of_a_process_frees_it_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "road.state"
    with held_by_another(path) as process:
        process.kill()
        process.wait()
    assert names(tmp_path) == [".road.state.lock"]
    StateLock(path).release()
    assert names(tmp_path) == []


def test_a_lock_that_is_dropped_is_free(tmp_path: Path) -> None:
    lock = StateLock(tmp_path / "road.state")
    assert names(tmp_path) == [".road.state.lock"]
    del lock
    gc.collect()
    assert names(tmp_path) == []


def test_locks_of_one_process_share_it_to_the_last(tmp_path: Path) -> None:
    first, second = (StateLock(tmp_path / "road.state") for _ in range(2))
    first.release()
    assert names(tmp_path) == [".road.state.lock"]
    with pytest.raises(AssertionError), held_by_another(tmp_path / "road.state"):
        pass
    second.release()
    assert names(tmp_path) == []


def test_the_end_of_a_fork_leaves_it(tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from tallylens.edge_runtime.counting.state_lock import StateLock
from tallylens.edge_runtime.errors import UnavailableError
path = Path(sys.argv[1])
lock = StateLock(path)
if os.fork() == 0:
    try:
        StateLock(path)
    except UnavailableError:
        print("refused", flush=True)
    sys.exit()
os.wait()
print(os.listdir(path.parent))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "road.state")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == ["refused", "['.road.state.lock']"]
    assert names(tmp_path) == []


def test_a_link_is_locked_under_its_own_name(tmp_path: Path) -> None:
    """A save replaces it."""
    (tmp_path / "link.state").symlink_to(tmp_path / "other" / "real.state")
    lock = StateLock(tmp_path / "link.state")
    assert names(tmp_path) == [".link.state.lock", "link.state"]
    lock.release()


def test_it_is_released_once(tmp_path: Path) -> None:
    path = tmp_path / "road.state"
    first = StateLock(path)
    first.release()
    with held_by_another(path) as process:
        first.release()
        assert names(tmp_path) == [".road.state.lock"]
        process.communicate("\n")


def test_a_file_that_was_deleted_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder deletes it between the opening and the locking of it by the next one."""
    from tallylens.edge_runtime.counting import state_lock

    path = tmp_path / "road.state"
    calls: list[Path] = []

    def locked(path: Path, beside: Path) -> object:
        file = original(path, beside)
        if not calls:
            beside.unlink()
        calls.append(beside)
        return file

    original = state_lock._locked
    monkeypatch.setattr(state_lock, "_locked", locked)
    lock = StateLock(path)
    assert len(calls) == 2
    assert names(tmp_path) == [".road.state.lock"]
    lock.release()


def test_where_nothing_can_be_locked_a_count_goes_on(tmp_path: Path) -> None:
    lock = StateLock(tmp_path / ("n" * 250))  # the name of the lock is too long
    assert names(tmp_path) == []
    lock.release()
