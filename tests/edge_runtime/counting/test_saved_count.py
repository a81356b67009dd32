from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tallylens import StateError
from tallylens.edge_runtime.counting.saved_count import (
    DOCUMENT,
    SavedCount,
    source_identity,
    whole_number,
)


class Row:
    """A `StateStore` of one document."""

    name = "row 7"

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        self.document = document

    def load(self) -> dict[str, Any] | None:
        return self.document

    def save(self, document: dict[str, Any]) -> None:
        self.document = document


def test_a_new_count_has_no_past() -> None:
    saved = SavedCount(Row())
    assert saved.document == {}
    assert (saved.frames, saved.next_index, saved.last_ns, saved.epoch_ns) == (0, 0, -1, None)


def test_a_document_has_all_keys_in_their_order() -> None:
    row = Row()
    SavedCount(row).save({"own": 1, "frames": 3, "events_bytes": 5})
    assert row.document is not None
    assert list(row.document) == [*DOCUMENT, "own"]
    assert (row.document["frames"], row.document["events_bytes"], row.document["own"]) == (3, 5, 1)
    assert (DOCUMENT["frames"], DOCUMENT["events_bytes"]) == (0, 0)


def test_it_is_due_after_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    saved = SavedCount(Row(), interval_s=5)
    due = []
    for step in (4.9, 0.2, 4.9):
        now[0] += step
        due.append(saved.is_due())
        if saved.is_due():
            saved.save({})
    assert due == [False, True, False]


def test_an_empty_scene_is_saved_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    saved = SavedCount(Row(), interval_s=5)
    now[0] += 599
    assert not saved.is_due(changed=False)
    assert saved.is_due(changed=True)
    now[0] += 2
    assert saved.is_due(changed=False)


@pytest.mark.parametrize(
    ("value", "number"), [(7, 7), (0, 0), (-1, 0), ("7", 0), (None, 0), (1.5, 0)]
)
def test_whole_numbers(value: object, number: int) -> None:
    assert whole_number({"key": value}, "key") == number
    assert whole_number({}, "key", -1) == -1


@pytest.mark.parametrize("error", [KeyError("x"), TypeError(), ValueError(), AttributeError()])
def test_what_a_damaged_document_raises(error: Exception) -> None:
    with (
        pytest.raises(StateError, match=r"row 7: .*: it is damaged"),
        SavedCount(Row()).reading(),
    ):
        raise error


def test_a_reason_is_kept_and_the_name_is_added() -> None:
    with pytest.raises(StateError) as caught, SavedCount(Row()).reading():
        raise StateError("it is of other regions")
    assert (caught.value.reason, caught.value.path) == ("it is of other regions", "row 7")


def test_sources_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"123")
    assert source_identity(str(tmp_path / "a.mp4")) == {"name": "a.mp4", "bytes": 3}
    assert source_identity("rtsp://camera/1") == {"name": "rtsp://camera/1", "bytes": None}
