"""Binary messages: what is written is read again, and invalid bytes are refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.cloud_fallback.wire.constants import MAX_SEQUENCE, CloseCode
from tallylens.cloud_fallback.wire.frames import (
    HEADER_BYTES,
    Codec,
    Flag,
    FrameHeader,
    decode_frame,
    encode_frame,
)
from tallylens.edge_runtime.errors import InputError, ProtocolError

VECTORS = Path(__file__).resolve().parents[3] / "mobile_bindings" / "conformance" / "protocol"
HEADER = FrameHeader(7, 1_000_000, 250, 640, 352)

headers = st.builds(
    FrameHeader,
    sequence=st.integers(1, MAX_SEQUENCE),
    capture_us=st.integers(-(1 << 63), (1 << 63) - 1),
    deadline_ms=st.integers(0, (1 << 32) - 1),
    width=st.integers(1, 65535),
    height=st.integers(1, 65535),
    codec=st.sampled_from(Codec),
    flags=st.sampled_from([Flag.NONE, Flag.REPEATED]),
)


@given(headers, st.binary(max_size=64))
def test_a_frame_is_read_as_it_was_written(header: FrameHeader, image: bytes) -> None:
    message = encode_frame(header, image)
    assert len(message) == HEADER_BYTES + len(image)
    assert decode_frame(message) == (header, memoryview(image))


def test_the_header_is_24_little_endian_bytes() -> None:
    header = FrameHeader(0x01020304, -2, 0x0A0B0C0D, 0x1112, 0x2122, Codec.WEBP, Flag.REPEATED)
    assert encode_frame(header, b"JPEG").hex() == (
        "0101020104030201feffffffffffffff0d0c0b0a121122214a504547"
    )


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
def test_invalid_headers_are_refused(offset: int, value: int, problem: str) -> None:
    message = bytearray(encode_frame(HEADER, b""))
    message[offset] = value
    with pytest.raises(ProtocolError) as refused:
        decode_frame(bytes(message))
    assert refused.value.problem == f"message: {problem}"
    assert isinstance(refused.value, InputError)


@pytest.mark.parametrize("field", [20, 22])
def test_an_image_has_sides(field: int) -> None:
    message = bytearray(encode_frame(HEADER, b""))
    struct.pack_into("<H", message, field, 0)
    with pytest.raises(ProtocolError, match="width or height of 0"):
        decode_frame(bytes(message))


@pytest.mark.parametrize("length", range(HEADER_BYTES))
def test_half_a_header_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError, match=f"a frame of {length} bytes has no"):
        decode_frame(encode_frame(HEADER, b"")[:length])


@settings(max_examples=150)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_frame_or_refused(content: bytes) -> None:
    try:
        header, image = decode_frame(content)
    except ProtocolError:
        return
    assert encode_frame(header, bytes(image)) == content


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
