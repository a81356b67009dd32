"""What a client remembers of its frames, over all its connections. No I/O; times are given."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...edge_runtime.errors import ProtocolError
from .frames import (
    MAX_FRAME_BYTES,
    MAX_SEQUENCE,
    Codec,
    Flag,
    FrameHeader,
    decode_server,
    encode_frame,
)
from .messages import Drain, Hello, Reject, Result, Summary, Welcome

_LONGEST_MS = (1 << 32) - 1


@dataclass(frozen=True)
class Picture:
    """What is sent of a frame: `data` packed as `codec`, `width` x `height` pixels."""

    data: bytes
    width: int
    height: int
    codec: Codec = Codec.JPEG


@dataclass
class PendingFrame:
    """A frame without an answer. Times are seconds of the caller's clock."""

    sequence: int
    capture_us: int
    expires: float
    picture: Picture
    sent: bool = False
    repeated: bool = False
    expired: bool = False

    @property
    def size(self) -> int:
        """Bytes of the picture."""
        return len(self.picture.data)


class ClientStream:
    """Sequence numbers, credits and unanswered frames of one client.

    Feed it every text message and every lost connection; send what `next_message` gives. Frames
    keep their numbers over connections and sessions.
    """

    def __init__(self, hello: Hello | None = None) -> None:
        self._hello = hello or Hello()
        self.welcome: Welcome | None = None
        self.credits = 0
        self.draining = False
        self._last = 0
        self._open: dict[int, PendingFrame] = {}

    @property
    def connected(self) -> bool:
        """Whether the server has said welcome on this connection, and no goodbye."""
        return self.welcome is not None and self.credits > 0 and not self.draining

    @property
    def credits_left(self) -> int:
        """How many more frames may be offered now."""
        return max(0, self.credits - len(self._open)) if self.connected else 0

    @property
    def in_flight(self) -> int:
        """Frames that are still of use and have no answer."""
        return sum(not frame.expired for frame in self._open.values())

    def hello(self) -> Hello:
        """The first message of a connection; it asks for the session of the one before."""
        if self.welcome is None:
            return self._hello
        return replace(self._hello, session=self.welcome.session, resume=self.welcome.resume)

    def offer(self, picture: Picture, capture_us: int, expires: float) -> PendingFrame | None:
        """Take a frame to be sent; None where there is no credit for it or it is too big."""
        if not self.credits_left or self._last >= MAX_SEQUENCE or not self._fits(picture):
            return None
        self._last += 1
        frame = PendingFrame(self._last, capture_us, expires, picture)
        self._open[frame.sequence] = frame
        return frame

    def _fits(self, picture: Picture) -> bool:
        assert self.welcome is not None, "there is room on a connection only"
        limit = min(self.welcome.limits.frame_bytes, MAX_FRAME_BYTES)
        return len(picture.data) <= limit

    def next_message(self, now: float) -> tuple[PendingFrame, bytes] | None:
        """The oldest frame that is still worth sending, as a message; it then counts as sent."""
        if not self.connected:
            return None
        for frame in self._open.values():
            if not frame.sent and frame.expires > now:
                frame.sent = True
                return frame, self._message(frame, now)
        return None

    @staticmethod
    def _message(frame: PendingFrame, now: float) -> bytes:
        picture = frame.picture
        header = FrameHeader(
            frame.sequence,
            frame.capture_us,
            min(max(1, int((frame.expires - now) * 1000)), _LONGEST_MS),
            picture.width,
            picture.height,
            picture.codec,
            Flag.REPEATED if frame.repeated else Flag.NONE,
        )
        return encode_frame(header, picture.data)

    def expire(self, now: float) -> list[PendingFrame]:
        """Give up the frames whose time is over, oldest first.

        What was sent still takes a credit until the server answers or the session ends.
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

    def _give_up(self, frame: PendingFrame) -> None:
        frame.expired = True
        if not frame.sent:
            del self._open[frame.sequence]
        frame.picture = replace(frame.picture, data=b"")

    def receive(
        self, text: str
    ) -> tuple[Welcome | Result | Reject | Drain | Summary, PendingFrame | None]:
        """A message of the server, and the frame that it answers.

        An answer without a frame repeats one that came before.

        Raises:
            ProtocolError: no such message, or answers before the welcome.
        """
        message = decode_server(text)
        if isinstance(message, Welcome):
            self._begin(message)
            return message, None
        if self.welcome is None:
            raise ProtocolError("the server spoke before its welcome")
        if isinstance(message, Drain):
            self.draining = True
        if not isinstance(message, (Result, Reject)):
            return message, None
        self.credits = message.credits
        return message, self._open.pop(message.sequence, None)

    def _begin(self, welcome: Welcome) -> None:
        """What the server does not know is sent again, oldest first."""
        self.welcome, self.credits, self.draining = welcome, welcome.credits, False
        for frame in list(self._open.values()):
            if welcome.resumed and frame.sent and frame.sequence <= welcome.ack:
                continue
            if frame.expired:
                del self._open[frame.sequence]
                continue
            frame.repeated = frame.repeated or frame.sent
            frame.sent = False

    def disconnected(self) -> None:
        """The connection is gone; frames wait for the next one until their time is over."""
        self.credits = 0
