"""The core reproduces the conformance vectors, also when it is saved and restored half way."""

from __future__ import annotations

import base64
import contextlib
import json
import zlib
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from tallylens.edge_runtime.core import CounterOptions, TrackCounter
from tallylens.edge_runtime.errors import TimestampError
from tallylens.edge_runtime.types import Detections, Event

FOLDER = Path(__file__).parents[3] / "mobile_bindings" / "conformance"
VECTORS = json.loads((FOLDER / "counting.json").read_text(encoding="utf-8"))
IGNORED = json.loads((FOLDER / "ignored.json").read_text(encoding="utf-8"))
CASES = [*VECTORS["cases"], *IGNORED["cases"]]


def new_counter(case: dict[str, Any]) -> TrackCounter:
    options = dict(case.get("options", {}))
    apart: dict[str, Any] = {"any_class": False, "min_size": None, "max_size": None}
    shape = {name: options.pop(name, usual) for name, usual in apart.items()}
    classes = options.pop("num_classes", 4)
    counter = TrackCounter(classes, (640, 480), options=CounterOptions(**options), **shape)
    for line in case.get("lines", ()):
        counter.add_line(line["a"], line["b"], extend=line.get("extend", False))
    for zone in case.get("zones", ()):
        counter.add_zone(zone["corners"], min_dwell_s=zone.get("least_dwell_s", 0.0))
    for corners in case.get("ignore", ()):
        counter.ignore(corners)
    return counter


def detections(rows: list[list[float]]) -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32),
        table[:, 4].astype(np.float32),
        table[:, 5].astype(np.int32),
    )


def by_class(totals: Any) -> dict[str, int]:
    return {str(i): int(totals[i]) for i in np.flatnonzero(totals)}


def spans(values: list[Any], expected: list[Any]) -> bool:
    return len(values) == len(expected) and all(
        low <= value <= high for value, (low, high) in zip(values, expected, strict=True)
    )


@pytest.mark.parametrize("interrupted", [False, True], ids=["", "restored"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any], interrupted: bool) -> None:
    counter, events, ids, refused = new_counter(case), [], set(), []
    for index, (timestamp_ns, rows) in enumerate(case["frames"]):
        if interrupted and index == len(case["frames"]) // 2:
            state, counter = counter.save(), new_counter(case)
            counter.restore(state)
        if index == case.get("reset_before"):
            counter.reset()
        try:
            ids.update(counter.update(timestamp_ns, detections(rows)).track_id.tolist())
        except TimestampError:
            refused.append(index)
        events += counter.take_events()

    expected = case["expected"]
    assert by_class(counter.unique()) == expected["unique"]
    lines = [counter.line(i) for i in range(len(expected["lines"]))]
    assert [
        {"in": by_class(line.crossed_in), "out": by_class(line.crossed_out)} for line in lines
    ] == expected["lines"]
    for index, zone in enumerate(expected["zones"]):
        found = counter.zone(index)
        for name in ("entered", "left", "now"):
            assert by_class(getattr(found, name)) == zone[name], name
        assert spans([found.max_dwell_s], [zone["max_dwell_s"]])
    if "events" in expected:
        told = [(event.kind, event.place, event.class_id) for event in events]
        assert told == [(e["kind"], e["place"], e["class_id"]) for e in expected["events"]]
        seconds = [event.timestamp_ns / 1e9 for event in events]
        assert spans(seconds, [e["seconds"] for e in expected["events"]])
    facts = counter.diagnostics()
    assert len(ids) == expected.get("ids", len(ids))
    assert refused == expected.get("refused", [])
    assert facts.frames == expected.get("frames", facts.frames)
    assert facts.unconfirmed_tracks == expected.get("unconfirmed", facts.unconfirmed_tracks)
    assert facts.ignored == expected.get("ignored", 0)
    if "nearest" in expected:
        assert spans([counter.nearest(i) for i in range(len(lines))], expected["nearest"])


SAVED = json.loads(
    (Path(__file__).parents[2] / "edge_runtime" / "core" / "saved_by_0.1.0.json").read_text("utf-8")
)


SAVED_CASES = [case for case in CASES if case["name"] in SAVED]


def test_every_state_of_the_first_version_is_of_a_case() -> None:
    assert len(SAVED_CASES) == len(SAVED) > 20


@pytest.mark.parametrize("case", SAVED_CASES, ids=[case["name"] for case in SAVED_CASES])
def test_a_state_of_the_first_version(case: dict[str, Any]) -> None:
    """Saved half way through a case by version 0.1.0, before states held evidence for crossings."""
    state = zlib.decompress(base64.b64decode(SAVED[case["name"]]))
    whole, resumed = new_counter(case), new_counter(case)
    half = len(case["frames"]) // 2
    play(case, whole, range(half))
    whole.take_events()
    resumed.restore(state)
    resumed.take_events()
    play(case, resumed, range(half, len(case["frames"])))
    play(case, whole, range(half, len(case["frames"])))
    assert totals(resumed, case) == totals(whole, case)
    assert [told(event) for event in resumed.take_events()] == [
        told(event) for event in whole.take_events()
    ]


def told(event: Event) -> tuple[str, int, int, int]:
    return event.kind, event.track_id, event.class_id, event.place


def totals(counter: TrackCounter, case: dict[str, Any]) -> list[Any]:
    lines = [counter.line(i) for i in range(len(case.get("lines", ())))]
    zones = [counter.zone(i) for i in range(len(case.get("zones", ())))]
    counts = [counter.unique(), *(a for one in lines for a in (one.crossed_in, one.crossed_out))]
    counts += [array for one in zones for array in (one.now, one.entered, one.left)]
    return [array.tolist() for array in counts]


def play(case: dict[str, Any], counter: TrackCounter, frames: range) -> None:
    """Count some frames of a case; those that come late are refused."""
    for index in frames:
        timestamp_ns, rows = case["frames"][index]
        if index == case.get("reset_before"):
            counter.reset()
        with contextlib.suppress(TimestampError):
            counter.update(timestamp_ns, detections(rows))


@pytest.mark.parametrize("document", [VECTORS, IGNORED], ids=["counting", "ignored"])
def test_the_vectors_follow_their_schema(document: dict[str, Any]) -> None:
    schema = json.loads((FOLDER / "counting.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
