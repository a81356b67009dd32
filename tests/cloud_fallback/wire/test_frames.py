"""The wire: what is written is read again, what is not of it is refused, whatever the bytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.cloud_fallback.wire import frames as protocol
from tallylens.cloud_fallback.wire.frames import (
    CloseCode,
    Codec,
    Flag,
    FrameHeader,
    decode_client,
    decode_frame,
    decode_server,
    encode_frame,
)
from tallylens.cloud_fallback.wire.messages import (
    REASONS,
    Bye,
    Drain,
    Hello,
    Limits,
    Place,
    Reject,
    Result,
    Summary,
    Welcome,
    encode,
)
from tallylens.edge_runtime.errors import InputError, ProtocolError

VECTORS = Path(__file__).resolve().parents[3] / "mobile_bindings" / "conformance" / "protocol"
HEADER = FrameHeader(7, 1_000_000, 250, 640, 352)

sequences = st.integers(1, protocol.MAX_SEQUENCE)
numbers = st.floats(-1e9, 1e9)
headers = st.builds(
    FrameHeader,
    sequence=sequences,
    capture_us=st.integers(-(1 << 63), (1 << 63) - 1),
    deadline_ms=st.integers(0, (1 << 32) - 1),
    width=st.integers(1, 65535),
    height=st.integers(1, 65535),
    codec=st.sampled_from(Codec),
    flags=st.sampled_from([Flag.NONE, Flag.REPEATED]),
)
fractions = st.tuples(st.floats(0, 1), st.floats(0, 1))
places = st.one_of(
    st.builds(Place, st.just("line"), st.tuples(fractions, fractions), st.text(max_size=200)),
    st.builds(
        Place, st.just("zone"), st.lists(fractions, min_size=3, max_size=9).map(tuple), st.text()
    ),
)
counts = st.integers(0, 1 << 62)
answers = {"sequence": sequences, "ack": sequences, "credits": st.integers(0, 64)}
detections = st.tuples(
    numbers, numbers, numbers, numbers, st.floats(0, 1), st.integers(0, protocol.MAX_CLASSES - 1)
)
client_messages = st.one_of(
    st.builds(
        Hello,
        mode=st.sampled_from(["detect", "count"]),
        session=st.text(max_size=64),
        resume=st.text(max_size=128),
        places=st.lists(places, max_size=4).map(tuple),
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


@given(headers, st.binary(max_size=64))
def test_a_frame_is_read_as_it_was_written(header: FrameHeader, picture: bytes) -> None:
    message = encode_frame(header, picture)
    assert len(message) == protocol.HEADER_BYTES + len(picture)
    assert decode_frame(message) == (header, memoryview(picture))


def test_the_header_is_24_little_endian_bytes() -> None:
    header = FrameHeader(0x01020304, -2, 0x0A0B0C0D, 0x1112, 0x2122, Codec.WEBP, Flag.REPEATED)
    assert encode_frame(header, b"JPEG").hex() == (
        "0101020104030201feffffffffffffff0d0c0b0a121122214a504547"
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


def test_unknown_fields_are_for_later_versions() -> None:
    assert decode_client('{"type": "hello", "colour": "red"}') == Hello()


@pytest.mark.parametrize(
    ("offset", "value", "problem"),
    [
        (0, 2, "a binary message of version 2 and type 1"),
        (1, 9, "a binary message of version 1 and type 9"),
        (2, 0, "the codec is 0"),
        (2, 4, "the codec is 4"),
        (3, 2, "the flags are 0x2"),
        (3, 0x81, "the flags are 0x81"),
        (4, 0, "a sequence number, width or height of 0"),
    ],
)
def test_headers_that_are_none(offset: int, value: int, problem: str) -> None:
    message = bytearray(encode_frame(HEADER, b""))
    message[offset] = value
    with pytest.raises(ProtocolError) as refused:
        decode_frame(bytes(message))
    assert refused.value.problem == f"message: {problem}"
    assert isinstance(refused.value, InputError)


@pytest.mark.parametrize("field", [20, 22])
def test_a_picture_has_sides(field: int) -> None:
    message = bytearray(encode_frame(HEADER, b""))
    struct.pack_into("<H", message, field, 0)
    with pytest.raises(ProtocolError, match="width or height of 0"):
        decode_frame(bytes(message))


@pytest.mark.parametrize("length", range(protocol.HEADER_BYTES))
def test_half_a_header_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError, match=f"of {length} bytes has no room for its header"):
        decode_frame(encode_frame(HEADER, b"")[:length])


WELCOME = json.loads(
    encode(Welcome("s", "r", False, 0, 4, Limits(1, 2, 3, 4), "m", (64, 64), ("a",), (8,)))
)
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
    long = '{"type":"bye"}' + " " * protocol.MAX_CLIENT_TEXT
    with pytest.raises(ProtocolError, match="a text message of 16398 characters"):
        decode_client(long)
    with pytest.raises(ProtocolError, match="of 1048590 characters"):
        decode_server('{"type":"bye"}' + " " * protocol.MAX_SERVER_TEXT)


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


@settings(max_examples=150)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_frame_or_refused(content: bytes) -> None:
    try:
        header, picture = decode_frame(content)
    except ProtocolError:
        return
    assert encode_frame(header, bytes(picture)) == content


def test_each_close_code_has_one_meaning() -> None:
    ours = [code for code in CloseCode if code >= 4000]
    assert len(set(ours)) == len(ours) == 7
    assert all(4400 <= code < 4500 for code in ours)


def test_conformance_of_frames() -> None:
    for vector in json.loads((VECTORS / "frames.json").read_text())["vectors"]:
        message = bytes.fromhex(vector["message"])
        if "error" in vector:
            with pytest.raises(ProtocolError) as refused:
                decode_frame(message)
            assert refused.value.problem == f"message: {vector['error']}"
            continue
        fields = dict(vector["header"])
        fields["codec"], fields["flags"] = Codec(fields["codec"]), Flag(fields["flags"])
        header = FrameHeader(**fields)
        assert decode_frame(message) == (header, memoryview(bytes.fromhex(vector["picture"])))
        assert encode_frame(header, bytes.fromhex(vector["picture"])) == message


def test_conformance_of_control_messages() -> None:
    for vector in json.loads((VECTORS / "messages.json").read_text())["vectors"]:
        decode: Any = decode_client if vector["from"] == "client" else decode_server
        if not vector["valid"]:
            with pytest.raises(ProtocolError):
                decode(vector["text"])
            continue
        message = decode(vector["text"])
        assert json.loads(encode(message)) == vector["canonical"]
