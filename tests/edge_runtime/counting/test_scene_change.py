"""A parked car is not a change, and does not wear out the card that the count is saved to."""

from __future__ import annotations

from typing import Any

import numpy as np

from tallylens import Detections, Line
from tallylens.edge_runtime.counting.saved_count import SavedCount
from tallylens.edge_runtime.counting.scene_change import MAX_KNOWN, SceneChange
from tallylens.edge_runtime.counting.session import CountSession
from tallylens.edge_runtime.types import Tracks
from tallylens.testing import FakeDetector


def tracks(**boxes: tuple[float, float, float, float]) -> Tracks:
    """Tracks by name `t1`, `t2` and so on."""
    number = len(boxes)
    return Tracks(
        np.array(list(boxes.values()), np.float32).reshape(-1, 4),
        np.ones(number, np.float32),
        np.zeros(number, np.int32),
        np.array([int(name[1:]) for name in boxes], np.int64),
    )


def test_new_and_moved_objects_are_changes_and_flicker_is_not() -> None:
    scene = SceneChange()
    assert not scene.differs(Tracks.empty())
    assert scene.differs(tracks(t1=(0, 0, 40, 80)))
    scene.remember(tracks(t1=(0, 0, 40, 80)))
    assert not scene.differs(tracks(t1=(9, -19, 49, 61)))
    assert scene.differs(tracks(t1=(11, 0, 51, 80)))
    assert scene.differs(tracks(t1=(0, 21, 40, 101)))
    assert scene.differs(tracks(t1=(0, 0, 40, 80), t2=(0, 0, 4, 4)))
    scene.remember(Tracks.empty())
    assert not scene.differs(tracks(t1=(0, 0, 40, 80)))


def test_few_objects_are_known() -> None:
    scene = SceneChange()
    for index in range(MAX_KNOWN + 1):
        scene.remember(tracks(**{f"t{index}": (0, 0, 4, 4)}))
    assert scene.differs(tracks(t0=(0, 0, 4, 4)))
    assert not scene.differs(tracks(t1=(0, 0, 4, 4)))


class Store:
    name = "memory"

    def __init__(self) -> None:
        self.saved: list[float] = []
        self.now_s = 0.0

    def load(self) -> None:
        return None

    def save(self, document: dict[str, Any]) -> None:
        self.saved.append(self.now_s)


def saves(parked: bool, moving: bool) -> int:
    """How often half an hour is saved, after its first minute."""
    store, chance = Store(), np.random.default_rng(1)
    session = CountSession(
        "camera",
        [FakeDetector([])],
        ["car"],
        (400, 200),
        lines=[Line(0, 150, 400, 150)],
        saved=SavedCount(store, clock=lambda: store.now_s),
    )
    with session:
        for index in range(1800 * 5):
            store.now_s = index / 5
            boxes = []
            if parked and chance.random() > 0.05:
                boxes.append(np.array([20, 20, 80, 60]) + chance.normal(0, 2, 4))
            if moving:
                x = 120 + index % 40 * 5
                boxes.append(np.array([x, 20, x + 40, 50]))
            found = np.array(boxes, np.float32).reshape(-1, 4)
            number = len(found)
            session.update_detections(
                Detections(found, np.full(number, 0.8, np.float32), np.zeros(number, np.int32)),
                store.now_s,
            )
    return sum(at > 60 for at in store.saved)


def test_a_parked_car_is_saved_as_seldom_as_an_empty_street() -> None:
    assert saves(parked=True, moving=False) == saves(parked=False, moving=False) <= 4


def test_a_car_that_moves_is_saved() -> None:
    assert saves(parked=True, moving=True) > 300
