"""The client's end of a session, over all its connections. No I/O; times are given.

CONNECTING --welcome--> OPEN --drain--> DRAINING
every state --connection_lost--> CONNECTING
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from ...edge_runtime.errors import ProtocolError
from .constants import MAX_FRAME_BYTES, MAX_SEQUENCE
from .frames import Codec, Flag, FrameHeader, encode_frame
from .messages import Drain, Hello, Reject, Result, ServerMessage, Welcome, decode_server

_LONGEST_MS = (1 << 32) - 1


class State(Enum):
    """The state of a client's connection."""

    CONNECTING = auto()
    """No welcome on this connection yet: only hello may be sent."""
    OPEN = auto()
    """Frames may be sent."""
    DRAINING = auto()
    """The server restarts soon: answers still come, nothing new may be sent."""


@dataclass(frozen=True)
class EncodedImage:
    """The image of a frame as it is sent: `data` encoded as `codec`, `width` x `height` pixels."""

    data: bytes
    width: int
    height: int
    codec: Codec = Codec.JPEG


@dataclass
class PendingFrame:
    """A frame without an answer.

    Args:
        sequence: its number.
        capture_us: capture time, microseconds.
        expires: when it is of no use any more, seconds of the caller's clock.
        image: what is sent; without its data once the frame has expired.
        sent: whether it was sent on this connection, or need not be sent again.
        repeated: whether it was sent on an earlier connection.
        expired: whether it was given up.
    """

    sequence: int
    capture_us: int
    expires: float
    image: EncodedImage
    sent: bool = False
    repeated: bool = False
    expired: bool = False


class ClientSession:
    """Sequence numbers, credits and unanswered frames of one client.

    Call `message_received` with every text message and `connection_lost` after every connection;
    send `hello` first on a connection, then each `frame_to_send`. Frames keep their numbers over
    connections and sessions.
    """

    def __init__(self, hello: Hello | None = None) -> None:
        self._hello = hello or Hello()
        self.state = State.CONNECTING
        self.welcome: Welcome | None = None
        self._credits = 0
        self._last = 0
        self._resumable = True
        self._open: dict[int, PendingFrame] = {}

    @property
    def credits_left(self) -> int:
        """How many more frames may be submitted now."""
        return max(0, self._credits - len(self._open)) if self.state is State.OPEN else 0

    @property
    def in_flight(self) -> int:
        """Number of frames that are still of use and have no answer."""
        return sum(not frame.expired for frame in self._open.values())

    def hello(self) -> Hello:
        """The first message of a connection; it asks for the session of the one before."""
        if self.welcome is None or not self._resumable:
            return self._hello
        return replace(self._hello, session=self.welcome.session, resume=self.welcome.resume)

    def submit(self, image: EncodedImage, capture_us: int, expires: float) -> PendingFrame | None:
        """Queue a frame to be sent; None where there is no credit for it or it is too big."""
        if not self.credits_left or self._last >= MAX_SEQUENCE or not self._fits(image):
            return None
        self._last += 1
        frame = PendingFrame(self._last, capture_us, expires, image)
        self._open[frame.sequence] = frame
        return frame

    def _fits(self, image: EncodedImage) -> bool:
        assert self.welcome is not None, "the state is OPEN"
        return len(image.data) <= min(self.welcome.limits.frame_bytes, MAX_FRAME_BYTES)

    def frame_to_send(self, now: float) -> tuple[PendingFrame, bytes] | None:
        """The oldest frame that is still worth sending, as a message; it then counts as sent."""
        if self.state is not State.OPEN:
            return None
        for frame in self._open.values():
            if not frame.sent and frame.expires > now:
                frame.sent = True
                return frame, self._message(frame, now)
        return None

    @staticmethod
    def _message(frame: PendingFrame, now: float) -> bytes:
        image = frame.image
        header = FrameHeader(
            frame.sequence,
            frame.capture_us,
            min(max(1, int((frame.expires - now) * 1000)), _LONGEST_MS),
            image.width,
            image.height,
            image.codec,
            Flag.REPEATED if frame.repeated else Flag.NONE,
        )
        return encode_frame(header, image.data)

    def message_received(self, text: str) -> tuple[ServerMessage, PendingFrame | None]:
        """A message of the server, and the frame that it answers.

        An answer without a frame repeats an earlier one.

        Raises:
            ProtocolError: invalid, or an answer before the welcome.
        """
        message = decode_server(text)
        if isinstance(message, Welcome):
            self._welcomed(message)
            return message, None
        if isinstance(message, Drain):
            self.state = State.DRAINING
            return message, None
        if self.state is State.CONNECTING:
            raise ProtocolError("the server answered before its welcome")
        if not isinstance(message, (Result, Reject)):
            return message, None
        self._credits = message.credits
        return message, self._open.pop(message.sequence, None)

    def _welcomed(self, welcome: Welcome) -> None:
        """Mark the frames that the server does not have to be sent again, oldest first."""
        self.welcome, self._credits, self._resumable = welcome, welcome.credits, True
        if self.state is State.CONNECTING:
            self.state = State.OPEN
        for frame in list(self._open.values()):
            if welcome.resumed and frame.sent and frame.sequence <= welcome.ack:
                continue
            if frame.expired:
                del self._open[frame.sequence]
                continue
            frame.repeated = frame.repeated or frame.sent
            frame.sent = False

    def connection_lost(self) -> None:
        """The connection has ended; frames wait for the next one until they expire."""
        self.state = State.CONNECTING

    def start_over(self) -> None:
        """Ask for a new session next time: the server does not accept the one before."""
        self._resumable = False

    def expire(self, now: float) -> list[PendingFrame]:
        """Give up the frames whose time is over, oldest first.

        A frame that was sent still takes a credit until the server answers or the session ends.
        """
        over = [
            frame for frame in self._open.values() if not frame.expired and frame.expires <= now
        ]
        for frame in over:
            self._give_up(frame)
        return over

    def cancel(self, frame: PendingFrame) -> None:
        """Give up one frame early."""
        if self._open.get(frame.sequence) is frame:
            self._give_up(frame)

    def cancel_all(self) -> list[PendingFrame]:
        """Give up every frame early; those that were still of use, oldest first."""
        open_frames = [frame for frame in self._open.values() if not frame.expired]
        for frame in open_frames:
            self._give_up(frame)
        return open_frames

    def _give_up(self, frame: PendingFrame) -> None:
        frame.expired = True
        if not frame.sent:
            del self._open[frame.sequence]
        frame.image = replace(frame.image, data=b"")
