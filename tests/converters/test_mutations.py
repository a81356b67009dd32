"""Changed copies of real checkpoints and ONNX files: read or refused, and nothing else happens.

`python benchmarks/mutations.py` does this a thousand times with each of them.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from mutations import CHANGES, PICKLE_CHANGES, Watch, attempt, mutated

COPIES = 12
NAMES = ("v7-yolov3-tiny.pt", "ultra-yolov8.pt", "plate-shufflev2.pt", "onnx-seg.onnx")


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()


def test_the_watch_sees_what_must_not_happen(watch: Watch, tmp_path: Path) -> None:
    with watch.over(tmp_path) as events:
        eval("1 + 1")
        (tmp_path / "x").write_bytes(b"")
    assert {"exec", f"open {tmp_path / 'x'}"} <= set(events)


@pytest.mark.parametrize(
    "change", [*CHANGES, *PICKLE_CHANGES[2:]], ids=lambda change: change.__name__
)
def test_changes_change(change: object) -> None:
    assert callable(change)
    data = b"\x80\x02cmodels.common\nConv\nK\x01M\x00\x01cmodels.yolo\nDetect\n."
    copies = {change(data, random.Random(seed)) for seed in range(20)}
    assert len(copies - {data}) > 5


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_changed_copy_is_read_or_refused(
    name: str, data: Path, watch: Watch, tmp_path: Path
) -> None:
    original = (data / "checkpoints" / "wild" / name).read_bytes()
    path = tmp_path / f"copy{Path(name).suffix}"
    path.write_bytes(original)
    attempt(path, watch)  # imports what reading needs
    b"x".decode("cp437")
    chance = random.Random(7)
    outcomes = set()
    for _ in range(COPIES):
        path.write_bytes(mutated(original, chance))
        outcome, wrong = attempt(path, watch)
        assert not wrong
        outcomes.add(outcome)
    assert len(outcomes) > 1
