"""Client sessions, and the messages of both ends, for tests without a network."""

from __future__ import annotations

from tallylens.cloud_fallback.wire.client_session import ClientSession, EncodedImage
from tallylens.cloud_fallback.wire.frames import FrameHeader, encode_frame
from tallylens.cloud_fallback.wire.messages import Limits, Welcome, encode

LIMITS = Limits(1 << 20, 1 << 23, 100, 1000)


IMAGE = EncodedImage(b"picture", 4, 2)


def frame(sequence: int, capture_us: int | None = None) -> bytes:
    at = sequence if capture_us is None else capture_us
    return encode_frame(FrameHeader(sequence, at, 100, 4, 2), b"picture")


def welcome(credits: int = 4, *, resumed: bool = False, ack: int = 0, session: str = "s") -> str:
    made = Welcome(session, "r", resumed, ack, credits, LIMITS, "m", (64, 64), ("a",), (8,))
    return encode(made)


def connected(credits: int = 4) -> ClientSession:
    session = ClientSession()
    session.message_received(welcome(credits))
    return session


def messages_to_send(session: ClientSession, now: float) -> list[bytes]:
    messages = []
    while (following := session.frame_to_send(now)) is not None:
        messages.append(following[1])
    return messages
