"""Names, limits and close codes of `tallylens.v1` that both ends of a connection share."""

from __future__ import annotations

from enum import IntEnum

SUBPROTOCOL = "tallylens.v1"
PATH = "/v1/stream"
RESUME_SECONDS = 120
"""How long a session without a connection can be resumed."""
FIRST_MESSAGE_SECONDS = 10
"""Within which a client must send its hello."""
MAX_CREDITS = 64
MAX_SEQUENCE = (1 << 32) - 1
MAX_JUMP = 1 << 16
"""Largest step from one sequence number to the next."""
MAX_CAPTURE_US = (1 << 62) // 1000
"""Largest distance of a capture time from 0, where the server counts."""
MAX_FRAME_BYTES = 4 << 20
MAX_CLIENT_TEXT = 16 << 10
MAX_SERVER_TEXT = 1 << 20


class CloseCode(IntEnum):
    """Why a websocket was closed; one meaning each. 1000, 1009, 1011 and 1012 are RFC 6455's."""

    NORMAL = 1000
    MESSAGE_TOO_BIG = 1009
    SERVER_FAULT = 1011
    RESTART = 1012
    PROTOCOL_ERROR = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    FIRST_MESSAGE_TIMEOUT = 4408
    DUPLICATE_SESSION = 4409
    NOT_READING = 4410
    TOO_MANY_REQUESTS = 4429
