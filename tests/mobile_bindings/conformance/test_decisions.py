"""The core comes to the decisions of the vectors, which `oracles/` in plain Python came to."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tallylens.edge_runtime.core.images import image_struct
from tallylens.edge_runtime.core.native import DETECTION, Handle, ffi, lib, options, struct

FOLDER = Path(__file__).parents[3] / "mobile_bindings" / "conformance"
GOVERNOR = json.loads((FOLDER / "governor.json").read_text(encoding="utf-8"))["cases"]
OFFLOAD = json.loads((FOLDER / "offload.json").read_text(encoding="utf-8"))
ACTIONS = ("local", "cloud", "skip")
MODES = ("never", "auto", "always")


def reason(number: int) -> str:
    return str(ffi.string(lib.tally_reason_name(number)).decode())


def number_of(name: str) -> int:
    return int(getattr(lib, f"TALLY_REASON_{name.upper()}"))


def detections(rows: list[list[float]]) -> np.ndarray:
    found = np.empty(len(rows), DETECTION)
    for one, row in zip(found, rows, strict=True):
        one["xyxy"], one["confidence"], one["class_id"] = row[:4], row[4], row[5]
    return found


def near(found: float, expected: float) -> bool:
    return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)


def values(average: Any) -> list[float]:
    return [average.mean, average.p95, average.samples]


@pytest.mark.parametrize("case", GOVERNOR, ids=[case["name"] for case in GOVERNOR])
def test_governor(case: dict[str, Any]) -> None:
    handle = Handle("governor", options("governor", **case["options"]))
    wanted, why, count = (ffi.new("int32_t *") for _ in range(3))
    inputs = dict(case["inputs"])
    for index, (timestamp_ns, outcome) in enumerate(case["frames"]):
        for kind, value in inputs.get(index, {}).items():
            handle.call(getattr(lib, f"tally_governor_set_{kind}"), value)
        handle.call(lib.tally_governor_wants, timestamp_ns, wanted, why)
        if wanted[0]:
            assert isinstance(outcome, float), (index, outcome)
            handle.call(lib.tally_governor_learn, timestamp_ns, outcome)
        else:
            assert reason(why[0]) == outcome, index
    changes, levels = ffi.new("tally_level_change[]", 256), ffi.new("tally_level[]", 32)
    handle.call(lib.tally_governor_take_changes, changes, 256, count)
    told = [
        [c.timestamp_ns, reason(c.reason), c.paused, c.level.rate, c.level.size, c.latency_ms]
        for c in changes[0 : count[0]]
    ]
    state = struct("governor_state")
    handle.call(lib.tally_governor_get_state, state)
    expected = case["expected"]
    assert told == expected["changes"]
    assert state.changes == len(told)
    assert [state.level.rate, state.level.size] == expected["level"]
    assert [state.lowest.rate, state.lowest.size] == expected["lowest"]
    assert state.paused == expected["paused"]
    handle.call(lib.tally_governor_ladder, levels, 32, count)
    assert [[one.rate, one.size] for one in levels[0 : count[0]]] == case["ladder"]


def test_the_cases_reach_every_reason_of_the_governor() -> None:
    reached = {change[1] for case in GOVERNOR for change in case["expected"]["changes"]}
    reached |= {outcome for case in GOVERNOR for _, outcome in case["frames"]}
    names = {reason(number) for number in range(1, 9)}
    assert names <= reached


@pytest.mark.parametrize("case", OFFLOAD["reward"])
def test_reward(case: dict[str, Any]) -> None:
    rows = detections([[0, 0, 9, 9, score, 0] for score in case["scores"]])
    found, reward = ffi.new("double[5]"), ffi.new("double *")
    pointer = ffi.from_buffer("tally_detection[]", rows)
    assert lib.tally_offload_reward(pointer, len(rows), found, reward) == lib.TALLY_OK
    assert list(found) == case["features"]
    assert near(reward[0], case["reward"])


@pytest.mark.parametrize("case", OFFLOAD["static_reason"])
def test_static_reason(case: dict[str, Any]) -> None:
    facts, found = struct("offload_static_facts", **case["facts"]), ffi.new("int32_t *")
    assert lib.tally_offload_static_reason(facts, found) == lib.TALLY_OK
    assert reason(found[0]) == case["reason"]


@pytest.mark.parametrize("case", OFFLOAD["decide"], ids=lambda case: case["mode"])
def test_decide(case: dict[str, Any]) -> None:
    mode = MODES.index(case["mode"])
    handle = Handle("offload", options("offload", mode=mode, share=case["share"]))
    decision = ffi.new("tally_decision *")
    for index, step in enumerate(case["steps"]):
        facts = {name: math.inf if fact is None else fact for name, fact in step["facts"].items()}
        facts["static_reason"] = number_of(step["facts"]["static_reason"])
        handle.call(lib.tally_offload_decide, struct("offload_facts", **facts), decision)
        found = [ACTIONS[decision.action], reason(decision.reason)]
        assert found == step["decision"], index


def test_the_cases_reach_every_reason_of_a_frame() -> None:
    reached = {step["decision"][1] for case in OFFLOAD["decide"] for step in case["steps"]}
    names = {reason(n) for n in range(20, 36)} - {"unchanged", "no_answer"}
    assert reached == names


@pytest.mark.parametrize("steps", OFFLOAD["link"])
def test_link(steps: list[list[Any]]) -> None:
    handle = Handle("link", options("link"))
    state, seconds = struct("link_state"), ffi.new("double *")
    for name, arguments, now, expected, expected_s in steps:
        handle.call(getattr(lib, f"tally_link_{name}"), *arguments)
        handle.call(lib.tally_link_get_state, now, state)
        for field, value in expected.items():
            found = getattr(state, field)
            if isinstance(value, list):
                assert all(map(near, values(found), value)), (name, now, field)
            else:
                assert near(found, value), (name, now, field)
        handle.call(lib.tally_link_expected, 50_000, now, seconds)
        assert near(seconds[0], expected_s)


@pytest.mark.parametrize("case", OFFLOAD["waiting"])
def test_waiting(case: dict[str, Any]) -> None:
    handle = Handle("waiting", options("waiting", engines=case["engines"]))
    seconds = ffi.new("double *")
    for name, arguments, now, left_s in case["steps"]:
        handle.call(getattr(lib, f"tally_waiting_{name}"), *arguments)
        handle.call(lib.tally_waiting_left, now, seconds)
        assert near(seconds[0], left_s), (name, now)


@pytest.mark.parametrize("steps", OFFLOAD["late"])
def test_late(steps: list[list[Any]]) -> None:
    handle, changed = Handle("late", options("late")), ffi.new("int32_t *")
    corrected = 0
    for name, boxes, now, *classes in steps:
        rows = detections(boxes)
        pointer = ffi.from_buffer("tally_detection[]", rows, require_writable=True)
        if name == "note":
            handle.call(lib.tally_late_note, pointer, len(rows), now)
            continue
        handle.call(lib.tally_late_apply, pointer, len(rows), now, changed)
        assert rows["class_id"].tolist() == classes[0], now
        corrected += changed[0]
    assert corrected > 0


def test_views() -> None:
    assert OFFLOAD["view"]
    for case in OFFLOAD["view"]:
        given = case["image"]
        pixels = np.frombuffer(base64.b64decode(case["pixels"]), np.uint8)
        shape = given["height"], given["width"], len(given["format"])
        image = pixels.reshape(shape)
        cells = ffi.new("uint8_t[576]")
        source = image_struct(image, given["format"], given["rotation"], False, "BT.601")
        assert lib.tally_offload_view(source, cells) == lib.TALLY_OK
        assert list(cells) == case["cells"], given


def test_skips() -> None:
    for case in OFFLOAD["skip"]:
        handle = Handle("offload", options("offload", mode=MODES.index(case["mode"])))
        decision = ffi.new("tally_decision *")
        handle.call(lib.tally_offload_skip, case["difference"], decision)
        assert (ACTIONS[decision.action] == "skip") == case["skip"]
