"""Control messages: what is written is read again, and invalid text is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.cloud_fallback.wire.constants import MAX_CLIENT_TEXT, MAX_SEQUENCE, MAX_SERVER_TEXT
from tallylens.cloud_fallback.wire.messages import (
    MAX_CLASSES,
    REASONS,
    Bye,
    Drain,
    Hello,
    Limits,
    Reject,
    Result,
    Summary,
    Welcome,
    decode_client,
    decode_server,
    encode,
)
from tallylens.edge_runtime.counting.regions import Line, Zone
from tallylens.edge_runtime.errors import ProtocolError

VECTORS = Path(__file__).resolve().parents[3] / "mobile_bindings" / "conformance" / "protocol"
sequences = st.integers(1, MAX_SEQUENCE)
numbers = st.floats(-1e9, 1e9)
names = st.text(max_size=200)
lines = st.builds(
    Line,
    *[st.floats(0, 1)] * 4,
    name=names,
    in_name=st.just("in") | st.text("abc", min_size=1),
    out_name=st.just("out") | st.text("xyz", min_size=1),
    extend=st.booleans(),
).filter(lambda line: max(abs(line.x2 - line.x1), abs(line.y2 - line.y1)) > 0.001)
corners = st.sets(st.integers(0, 1000), min_size=3, max_size=9).map(
    # Along a parabola, so that they enclose an area and no two sides cross.
    lambda xs: tuple((x / 1000, (x / 1000) ** 2) for x in sorted(xs))
)
zones = st.builds(
    Zone,
    corners,
    name=names,
    min_dwell_s=st.floats(0, 1e6),
)
counts = st.integers(0, 1 << 62)
answers = {"sequence": sequences, "ack": sequences, "credits": st.integers(0, 64)}
detections = st.tuples(
    numbers, numbers, numbers, numbers, st.floats(0, 1), st.integers(0, MAX_CLASSES - 1)
)
client_messages = st.one_of(
    st.builds(
        Hello,
        mode=st.sampled_from(["detect", "count"]),
        session=st.text(max_size=64),
        resume=st.text(max_size=128),
        regions=st.lists(lines | zones, max_size=4).map(tuple),
        any_class=st.booleans(),
    ),
    st.just(Bye()),
)
server_messages = st.one_of(
    st.builds(
        Welcome,
        session=st.text(max_size=64),
        resume=st.text(max_size=128),
        resumed=st.booleans(),
        ack=sequences,
        credits=st.integers(0, 64),
        limits=st.builds(Limits, counts, counts, counts, counts),
        model=st.text(max_size=200),
        input_size=st.tuples(st.integers(1, 8192), st.integers(1, 8192)),
        classes=st.lists(st.text(max_size=200), max_size=5).map(tuple),
        strides=st.lists(st.integers(1, 64), max_size=4).map(tuple),
    ),
    st.builds(
        Result,
        **answers,
        detections=st.lists(detections, max_size=4).map(tuple),
        queue_ms=numbers,
        work_ms=numbers,
    ),
    st.builds(Reject, **answers, reason=st.sampled_from(REASONS), retry_after_ms=st.integers(0, 9)),
    st.builds(Drain, numbers),
    st.builds(
        Summary,
        counts,
        counts,
        st.dictionaries(st.sampled_from(REASONS), counts),
        st.dictionaries(st.text(), st.integers()),
    ),
)


@pytest.mark.slow
@settings(max_examples=50)
@given(client_messages)
def test_what_a_client_says_is_read_again(message: Hello | Bye) -> None:
    assert decode_client(encode(message)) == message


@settings(max_examples=50)
@given(server_messages)
def test_what_a_server_says_is_read_again(message: Any) -> None:
    assert decode_server(encode(message)) == message


def test_a_region_of_the_first_clients_is_written_as_they_wrote_it() -> None:
    regions = (Line(0.0, 0.5, 1.0, 0.5), Zone(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), "z"))
    assert encode(Hello("count", regions=regions)) == (
        '{"type":"hello","mode":"count","places":['
        '{"kind":"line","points":[[0.0,0.5],[1.0,0.5]],"name":""},'
        '{"kind":"zone","points":[[0.0,0.0],[1.0,0.0],[1.0,1.0]],"name":"z"}]}'
    )


def test_fields_that_the_first_clients_did_not_know_are_written_where_given() -> None:
    regions = (
        Line(0.0, 0.5, 1.0, 0.5, "road", "east", "west", extend=True),
        Zone(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), min_dwell_s=2.5),
    )
    line, zone = json.loads(encode(Hello("count", regions=regions)))["places"]
    assert (line["extend"], line["in_name"], line["out_name"]) == (True, "east", "west")
    assert zone["min_dwell_s"] == 2.5


def test_unknown_fields_are_for_later_versions() -> None:
    assert decode_client('{"type": "hello", "color": "red"}') == Hello()


WELCOME = json.loads(
    encode(Welcome("s", "r", False, 0, 4, Limits(1, 2, 3, 4), "m", (64, 64), ("a",), (8,)))
)
LINE = {"kind": "line", "points": [[0, 0], [1, 1]]}
ZONE = {"kind": "zone", "points": [[0, 0], [1, 0], [1, 1]]}
RESULT = json.loads(encode(Result(1, 1, 1)))
BAD_CLIENT: list[Any] = [
    {"type": "hello", "mode": "watch"},
    {"type": "hello", "mode": None},
    {"type": "hello", "session": "s" * 65},
    {"type": "hello", "session": 4},
    {"type": "hello", "resume": "r" * 129},
    {"type": "hello", "any_class": 1},
    {"type": "hello", "places": {}},
    {"type": "hello", "places": [0] * 65},
    {"type": "hello", "places": ["line"]},
    {"type": "hello", "places": [{"kind": "circle"}]},
    {"type": "hello", "places": [{"kind": "line", "points": [[0, 0]]}]},
    {"type": "hello", "places": [{"kind": "zone", "points": [[0, 0], [1, 1]]}]},
    {"type": "hello", "places": [{"kind": "line", "points": [[0, 0], 1]}]},
    {"type": "hello", "places": [{"kind": "line", "points": [[0, 0], [1]]}]},
    {"type": "hello", "places": [{"kind": "line", "points": [[0, 0], [1, 2]]}]},
    {"type": "hello", "places": [{"kind": "line", "points": [[0, 0], [-1, 0]]}]},
    {"type": "hello", "places": [{"kind": "line", "points": [[0, 0], [True, 0]]}]},
    {"type": "hello", "places": [{"kind": "line", "points": [[0, 0], [1, 1e300]]}]},
    {"type": "hello", "places": [{"kind": "line", "points": [[0, 0], [0, 0]]}]},
    {"type": "hello", "places": [{"kind": "zone", "points": [[0, 0], [0, 1], [0, 0.5]]}]},
    {"type": "hello", "places": [LINE | {"extend": 1}]},
    {"type": "hello", "places": [LINE | {"in_name": ""}]},
    {"type": "hello", "places": [LINE | {"in_name": "out"}]},
    {"type": "hello", "places": [LINE | {"out_name": "x" * 201}]},
    {"type": "hello", "places": [ZONE | {"min_dwell_s": -1}]},
    {"type": "hello", "places": [ZONE | {"min_dwell_s": "2"}]},
    {"type": "result"},
    {"type": 4},
    {},
    [],
    "hello",
    None,
]
BAD_SERVER: list[Any] = [
    {"type": "hello"},
    *(
        {name: value for name, value in WELCOME.items() if name != gone}
        for gone in WELCOME
        if gone not in ("classes", "strides")
    ),
    WELCOME | {"credits": 65},
    WELCOME | {"credits": -1},
    WELCOME | {"credits": True},
    WELCOME | {"credits": 1.5},
    WELCOME | {"limits": []},
    WELCOME | {"input_size": [64]},
    WELCOME | {"input_size": [0, 64]},
    WELCOME | {"input_size": ["64", 64]},
    WELCOME | {"classes": ["a" * 201]},
    WELCOME | {"classes": [1]},
    WELCOME | {"resumed": "no"},
    RESULT | {"detections": [1]},
    RESULT | {"detections": [[1, 2, 3, 4, 0.5]]},
    RESULT | {"detections": [[1, 2, 3, 4, 1.5, 0]]},
    RESULT | {"detections": [[1, 2, 3, 4, 0.5, 0.5]]},
    RESULT | {"detections": [[1, 2, 3, 4, 0.5, -1]]},
    RESULT | {"detections": [[1, 2, 3, "4", 0.5, 1]]},
    RESULT | {"queue_ms": "1"},
    {"type": "reject", "sequence": 1, "ack": 1, "credits": 1, "reason": "tired"},
    {"type": "summary", "frames": 1, "answered": 1, "rejected": {"late": -1}},
    {"type": "summary", "frames": 1, "answered": 1, "counts": []},
    {"type": "drain", "seconds": None},
]


@pytest.mark.parametrize("document", BAD_CLIENT, ids=str)
def test_what_a_client_may_not_say(document: Any) -> None:
    with pytest.raises(ProtocolError):
        decode_client(json.dumps(document))


@pytest.mark.parametrize("document", BAD_SERVER, ids=str)
def test_what_a_server_may_not_say(document: Any) -> None:
    with pytest.raises(ProtocolError):
        decode_server(json.dumps(document))


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 10_000, '{"type": NaN}', '{"a": 1' + "0" * 5000 + "}", "\ud800"]
)
def test_what_is_not_json(text: str) -> None:
    for decode in (decode_client, decode_server):
        with pytest.raises(ProtocolError):
            decode(text)


def test_length_is_bounded_before_anything_is_parsed() -> None:
    long = '{"type":"bye"}' + " " * MAX_CLIENT_TEXT
    with pytest.raises(ProtocolError, match="a text message of 16398 characters"):
        decode_client(long)
    with pytest.raises(ProtocolError, match="of 1048590 characters"):
        decode_server('{"type":"bye"}' + " " * MAX_SERVER_TEXT)


def test_an_error_shows_no_more_of_a_message_than_its_type() -> None:
    with pytest.raises(ProtocolError) as refused:
        decode_client('{"type": "' + "x" * 40 + '", "key": "secret"}')
    assert "secret" not in str(refused.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
)


@pytest.mark.slow
@settings(max_examples=150)
@given(
    st.sampled_from(["hello", "welcome", "result", "reject", "summary", "drain"]),
    st.dictionaries(
        st.sampled_from(sorted({*WELCOME, *RESULT, "mode", "places", "rejected", "seconds"})),
        json_values,
    ),
)
def test_any_object_is_a_message_or_refused(kind: str, fields: dict[str, Any]) -> None:
    text = json.dumps({**(WELCOME | RESULT), **fields, "type": kind})
    for decode in (decode_client, decode_server):
        try:
            message = decode(text)
        except ProtocolError:
            continue
        assert decode(encode(message)) == message


def test_conformance_of_control_messages() -> None:
    for vector in json.loads((VECTORS / "messages.json").read_text())["vectors"]:
        decode: Any = decode_client if vector["from"] == "client" else decode_server
        if not vector["valid"]:
            with pytest.raises(ProtocolError):
                decode(vector["text"])
            continue
        message = decode(vector["text"])
        assert json.loads(encode(message)) == vector["canonical"]
