"""The cases of the Autobahn test suite that matter here, over a bare socket: RFC 6455, in short.

The server has no echo: a message that arrives whole is shown by its answer. An invalid frame header
in `tallylens.v1` is closed with 4400, a fault of the websocket itself with the code of the RFC.
"""

from __future__ import annotations

import hashlib
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tallylens.cloud_fallback.wire.constants import MAX_FRAME_BYTES, PATH, SUBPROTOCOL, CloseCode
from tallylens.cloud_fallback.wire.frames import HEADER_BYTES
from tallylens.cloud_fallback.wire.messages import Bye, Hello, encode
from tests.support.running_service import PATIENCE_S, RunningService, ServiceFactory
from tests.support.squares import scene
from tests.support.wire_frames import frame_message

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NORMAL, PROTOCOL, INVALID_DATA, TOO_BIG = 1000, 1002, 1007, 1009
HELLO = encode(Hello()).encode()


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length: bytes | None = None,
) -> bytes:
    """One websocket frame of a client; `length` replaces its shortest encoding."""
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    mark = 0x80 if masked else 0
    if length is None:
        if len(payload) < 126:
            length = bytes([len(payload)])
        elif len(payload) < 1 << 16:
            length = b"\x7e" + struct.pack(">H", len(payload))
        else:
            length = b"\x7f" + struct.pack(">Q", len(payload))
    head += bytes([mark | length[0]]) + length[1:]
    if not masked:
        return head + payload
    # From the content: frames name test cases, and every process must name them alike.
    key = hashlib.sha256(payload).digest()[:4]
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def fragments(opcode: int, payload: bytes, sizes: Sequence[int]) -> bytes:
    """A message in fragments of these sizes, and one with the rest."""
    parts, start = [], 0
    for size in sizes:
        parts.append(payload[start : start + size])
        start += size
    parts.append(payload[start:])
    last = len(parts) - 1
    return b"".join(
        frame(opcode if i == 0 else CONTINUATION, part, fin=i == last)
        for i, part in enumerate(parts)
    )


@dataclass
class Peer:
    """A client over a bare socket, past its handshake."""

    socket: socket.socket
    buffer: bytes = b""

    def send(self, data: bytes, chop: int = 0) -> None:
        """Send, in pieces of `chop` bytes if given."""
        for start in range(0, len(data), chop) if chop else ():
            self.socket.sendall(data[start : start + chop])
        if not chop:
            self.socket.sendall(data)

    def _read(self, number: int) -> bytes:
        while len(self.buffer) < number:
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError
            self.buffer += data
        taken, self.buffer = self.buffer[:number], self.buffer[number:]
        return taken

    def receive(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame, which must be whole, unmasked and plain."""
        first, second = self._read(2)
        assert first & 0x70 == 0, "reserved bits without an extension"
        assert first & 0x80, "a fragment"
        assert not second & 0x80, "masked by the server"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._read(8))
        return first & 0x0F, self._read(length)

    def close_code(self) -> int:
        """The code of the close frame; frames before it are passed over. 1006 for none."""
        try:
            while True:
                opcode, payload = self.receive()
                if opcode == CLOSE:
                    return struct.unpack(">H", payload[:2])[0] if payload else 1005
        except (EOFError, ConnectionError):
            return 1006

    def ended(self) -> None:
        """The server closes the connection soon after."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except ConnectionError:
            pass


@pytest.fixture(scope="module")
def running(
    tiny_model: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("conformance")
    factory = ServiceFactory(tiny_model, (folder, folder, folder), folder)  # type: ignore[arg-type]
    yield factory()
    factory.close()


@pytest.fixture
def peer(running: RunningService) -> Iterator[Peer]:
    with running.socket() as connection:
        connection.settimeout(PATIENCE_S)
        request = (
            f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"
            f"Authorization: Bearer {running.key}\r\n\r\n"
        )
        connection.sendall(request.encode())
        opened = Peer(connection)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += opened._read(1)
        assert answer.startswith(b"HTTP/1.1 101")
        yield opened


@pytest.fixture
def welcomed(peer: Peer) -> Peer:
    peer.send(frame(TEXT, HELLO))
    assert b'"welcome"' in peer.receive()[1]
    return peer


def image_message() -> bytes:
    return frame_message(1, next(iter(scene(frames=1))))


# 1 and 5: texts and binary messages whole and in fragments -------------------------------------


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (5, 0, 0, 7), (1,) * 20, (3, 3, 3)])
@pytest.mark.parametrize("chop", [0, 1, 7])
def test_a_text_arrives_however_it_is_cut(peer: Peer, sizes: Sequence[int], chop: int) -> None:
    peer.send(fragments(TEXT, HELLO, sizes), chop)
    opcode, payload = peer.receive()
    assert opcode == TEXT
    assert b'"welcome"' in payload


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (20, 100), (1000, 0, 1000), (1,) * 100])
@pytest.mark.parametrize("chop", [0, 997])
def test_a_frame_of_an_image_arrives_however_it_is_cut(
    welcomed: Peer, sizes: Sequence[int], chop: int
) -> None:
    welcomed.send(fragments(BINARY, image_message(), sizes), chop)
    opcode, payload = welcomed.receive()
    assert opcode == TEXT
    assert b'"result"' in payload


@pytest.mark.parametrize("position", range(4))
def test_a_control_frame_may_come_between_fragments(peer: Peer, position: int) -> None:
    parts = [HELLO[:5], HELLO[5:9], HELLO[9:]]
    sent = [
        frame(TEXT if i == 0 else CONTINUATION, part, fin=i == 2) for i, part in enumerate(parts)
    ]
    sent.insert(position, frame(PING, b"between"))
    peer.send(b"".join(sent))
    received = [peer.receive(), peer.receive()]
    assert (PONG, b"between") in received
    assert any(b'"welcome"' in payload for _, payload in received)


@pytest.mark.parametrize(
    "data",
    [
        frame(CONTINUATION, b"alone"),
        frame(CONTINUATION, b"alone", fin=False),
        frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
        frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"),
        frame(BINARY, b"a", fin=False) + frame(TEXT, b"b", fin=False),
        frame(TEXT, HELLO) + frame(CONTINUATION, b"late"),
    ],
)
def test_fragments_out_of_order_are_a_protocol_error(peer: Peer, data: bytes) -> None:
    peer.send(data)
    assert peer.close_code() == PROTOCOL
    peer.ended()


# 2: pings and pongs ----------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"hello", b"\x00\xff\xfe\x80", b"x" * 125])
@pytest.mark.parametrize("chop", [0, 1])
def test_a_ping_is_answered_with_its_content(peer: Peer, payload: bytes, chop: int) -> None:
    peer.send(frame(PING, payload), chop)
    assert peer.receive() == (PONG, payload)


def test_pings_are_answered_in_order(peer: Peer) -> None:
    sent = [str(number).encode() for number in range(10)]
    peer.send(b"".join(frame(PING, one) for one in sent))
    assert [peer.receive() for _ in sent] == [(PONG, one) for one in sent]


@pytest.mark.parametrize("payload", [b"", b"nobody asked"])
def test_a_pong_without_a_ping_is_ignored(peer: Peer, payload: bytes) -> None:
    peer.send(frame(PONG, payload) + frame(PING, b"next"))
    assert peer.receive() == (PONG, b"next")


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.parametrize("fault", ["126 bytes", "fragmented"])
def test_control_frames_are_short_and_whole(peer: Peer, opcode: int, fault: str) -> None:
    if fault == "126 bytes":
        peer.send(frame(opcode, b"\x03\xe8" + b"x" * 124))
    else:
        peer.send(frame(opcode, b"\x03\xe8", fin=False))
    assert peer.close_code() == PROTOCOL
    peer.ended()


# 3 and 4: reserved bits, opcodes and masks -----------------------------------------------------


@pytest.mark.parametrize("reserved", range(1, 8))
def test_reserved_bits_are_for_extensions(peer: Peer, reserved: int) -> None:
    """No extension is agreed on, not even the one for compression (bit 4)."""
    peer.send(frame(TEXT, HELLO, reserved=reserved))
    assert peer.close_code() == PROTOCOL
    peer.ended()


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_reserved_opcodes_are_a_protocol_error(peer: Peer, opcode: int) -> None:
    peer.send(frame(opcode, b"?"))
    assert peer.close_code() == PROTOCOL
    peer.ended()


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
def test_a_client_masks_every_frame(peer: Peer, opcode: int) -> None:
    peer.send(frame(opcode, b"\x03\xe8", masked=False))
    assert peer.close_code() == PROTOCOL
    peer.ended()


# 6: UTF-8 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"\x80",
        b"\xbf\xbf",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe\xff",
        b"ok \xce",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    ],
)
@pytest.mark.parametrize("sizes", [(), (1,)])
def test_a_text_that_is_no_utf8_is_refused(peer: Peer, text: bytes, sizes: Sequence[int]) -> None:
    peer.send(fragments(TEXT, text, sizes))
    assert peer.close_code() == INVALID_DATA
    peer.ended()


@pytest.mark.parametrize("text", ["κόσμε", "\U0001f697", "\ufffd", "\x00", "\uffff", "\U0010ffff"])
@pytest.mark.parametrize("cut", [1, 2])
def test_a_character_may_be_cut_by_a_fragment(peer: Peer, text: str, cut: int) -> None:
    """Valid UTF-8 is a text that this protocol does not know: 4400, not 1007."""
    peer.send(fragments(TEXT, text.encode(), (cut,)))
    assert peer.close_code() == CloseCode.PROTOCOL_ERROR


# 7: closing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000]
)
def test_a_close_is_answered_with_its_code(peer: Peer, code: int) -> None:
    peer.send(frame(CLOSE, struct.pack(">H", code) + b"why"))
    assert peer.close_code() == code
    peer.ended()


def test_a_close_without_a_code_is_answered(peer: Peer) -> None:
    peer.send(frame(CLOSE))
    assert peer.close_code() in (1000, 1005)
    peer.ended()


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000])
def test_codes_that_nobody_may_send_are_a_protocol_error(peer: Peer, code: int) -> None:
    peer.send(frame(CLOSE, struct.pack(">H", code)))
    assert peer.close_code() == PROTOCOL
    peer.ended()


@pytest.mark.parametrize(("payload", "code"), [(b"\x03", PROTOCOL), (b"\x03\xe8\xff", 1007)])
def test_a_close_holds_a_code_and_utf8(peer: Peer, payload: bytes, code: int) -> None:
    peer.send(frame(CLOSE, payload))
    assert peer.close_code() == code
    peer.ended()


@pytest.mark.parametrize(
    "after", [frame(PING, b"x"), frame(TEXT, HELLO), frame(TEXT, b"", fin=False)]
)
def test_nothing_is_answered_after_a_close(peer: Peer, after: bytes) -> None:
    peer.send(frame(CLOSE, struct.pack(">H", NORMAL)) + after)
    assert peer.receive() == (CLOSE, struct.pack(">H", NORMAL))
    with pytest.raises((EOFError, ConnectionError)):
        peer.receive()


def test_goodbye_closes_normally(welcomed: Peer) -> None:
    welcomed.send(frame(TEXT, encode(Bye()).encode()))
    assert b'"summary"' in welcomed.receive()[1]
    assert welcomed.close_code() == NORMAL


# 9: sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [125, 126, 127, 65_535, 65_536, 1 << 20])
def test_every_form_of_a_length_is_read(welcomed: Peer, size: int) -> None:
    """A message of zeros is a whole message of another version of the protocol."""
    welcomed.send(frame(BINARY, bytes(size)))
    assert welcomed.close_code() == CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "length",
    [
        b"\x7f" + struct.pack(">Q", MAX_FRAME_BYTES + HEADER_BYTES + 1),
        b"\x7f" + struct.pack(">Q", 1 << 40),
        b"\x7f" + struct.pack(">Q", (1 << 63) - 1),
    ],
)
def test_a_message_that_is_too_big_is_refused_by_its_length(peer: Peer, length: bytes) -> None:
    """Before any of it is read."""
    peer.send(frame(BINARY, b"", length=length))
    assert peer.close_code() == TOO_BIG
    peer.ended()


def test_fragments_that_are_too_big_together_are_refused(peer: Peer) -> None:
    part = bytes(1 << 20)
    number = (MAX_FRAME_BYTES + HEADER_BYTES) // len(part) + 1
    data = frame(BINARY, part, fin=False)
    more = frame(CONTINUATION, part, fin=False)
    peer.send(data + more * number)
    assert peer.close_code() == TOO_BIG


def test_the_close_frame_reaches_a_client_that_still_sends(peer: Peer) -> None:
    """With data unread, a closed connection is reset, and the frame is lost."""
    peer.send(frame(BINARY, b"", length=b"\x7f" + struct.pack(">Q", 64 << 20)))
    for _ in range(64):
        peer.send(bytes(1 << 20))
    assert peer.close_code() == TOO_BIG
    peer.ended()


def test_a_slow_client_is_read_byte_by_byte(peer: Peer) -> None:
    begun = time.monotonic()
    peer.send(frame(TEXT, HELLO), chop=1)
    assert b'"welcome"' in peer.receive()[1]
    assert time.monotonic() - begun < PATIENCE_S


# The client of python-websockets ---------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 1000, 1 << 16])
def test_the_client_of_websockets_sends_in_fragments(running: RunningService, size: int) -> None:
    image = image_message()
    with running.session() as (websocket, _):
        websocket.send(image[start : start + size] for start in range(0, len(image), size))
        assert '"result"' in str(websocket.recv(PATIENCE_S))


def test_the_client_of_websockets_pings_and_closes(running: RunningService) -> None:
    with running.session() as (websocket, _):
        assert websocket.ping(b"here").wait(PATIENCE_S)
        websocket.close(4000, "done")
    assert (websocket.close_code, websocket.close_reason) == (4000, "done")
