"""The server's end of a session, over all its connections. No I/O, no clock.

WAITING --connection_made--> OPEN --connection_lost--> WAITING
every state --end--> ENDED
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, replace
from enum import Enum, auto

from ...edge_runtime.errors import ProtocolError
from .constants import MAX_CAPTURE_US, MAX_JUMP
from .frames import FrameHeader, decode_frame
from .messages import Reason, Reject, Result, Summary

Answer = Result | Reject
# Before every capture time.
NO_TIME_US = -(1 << 63)


class State(Enum):
    """Whether the client is connected."""

    WAITING = auto()
    """Without a connection: the client may come back."""
    OPEN = auto()
    """Frames arrive and are answered."""
    ENDED = auto()
    """The client said goodbye, or did not come back: nothing of it is needed any more."""


@dataclass(frozen=True)
class Arrival:
    """A frame that was not received before."""

    header: FrameHeader
    image: memoryview


@dataclass(frozen=True)
class SavedProtocol:
    """The state of the protocol, for another process to resume it.

    Args:
        highest: largest sequence number that has arrived.
        lost: frames up to `highest` that had arrived and were not answered.
        frames, answered, rejected: totals.
        answers: those that the client may lack.
    """

    highest: int
    lost: tuple[int, ...]
    frames: int
    answered: int
    rejected: dict[str, int]
    answers: tuple[Answer, ...]


class ServerSession:
    """Sequence numbers, answers and credits of one session.

    A client has at most `credits` frames unanswered, so that after a broken connection it can lack
    no more answers than that: twice as many are remembered. A frame older than them is refused as
    `forgotten`; no frame arrives twice.

    Args:
        credits: maximum number of frames without an answer.
        ordered: whether capture times must rise, which counting needs.
    """

    def __init__(self, credits: int, *, ordered: bool = False) -> None:
        self.state = State.WAITING
        self.credits = credits
        self._ordered = ordered
        # Capture times that the next new frame, and the next one to come again, must be after.
        self._capture_us = self._lost_us = NO_TIME_US
        self.highest = 0
        self.frames = 0
        self.answered = 0
        self.rejected: Counter[str] = Counter()
        self._pending: set[int] = set()
        # Frames that arrived in another process, or were dropped when the connection was lost, and
        # were not sent again yet.
        self._lost: set[int] = set()
        self._answers: OrderedDict[int, Answer] = OrderedDict()

    def save(self) -> SavedProtocol:
        """All but the frames that are still worked on: they will be sent again."""
        return SavedProtocol(
            self.highest,
            tuple(self._pending | self._lost),
            self.frames - self.pending,
            self.answered,
            dict(self.rejected),
            tuple(self._answers.values()),
        )

    def restore(self, saved: SavedProtocol, capture_us: int) -> None:
        """Resume what another process saved; `capture_us` is that of the last frame counted."""
        self.highest, self._lost = saved.highest, set(saved.lost)
        self.frames, self.answered = saved.frames, saved.answered
        self.rejected = Counter(saved.rejected)
        self._answers = OrderedDict((one.sequence, one) for one in saved.answers)
        self._capture_us = self._lost_us = capture_us

    @property
    def pending(self) -> int:
        """Number of frames without an answer yet."""
        return len(self._pending)

    @property
    def ack(self) -> int:
        """Every frame up to this number has been answered."""
        return min(self._pending | self._lost, default=self.highest + 1) - 1

    @property
    def arrived(self) -> int:
        """Frames up to this number need not be sent again."""
        return min(self._lost, default=self.highest + 1) - 1

    def connection_made(self) -> list[Answer]:
        """The client is connected; the answers to repeat, which it may lack."""
        self.state = State.OPEN
        return [self._fresh(answer) for answer in self._answers.values()]

    def connection_lost(self) -> None:
        """The connection has ended; the session waits for the next one."""
        if self.state is State.OPEN:
            self.state = State.WAITING

    def end(self) -> None:
        """The session is over."""
        self.state = State.ENDED

    def frame_received(self, message: bytes) -> Arrival | Answer | None:
        """Take a binary message: a new frame, an answer to send at once, or neither.

        A repeated frame that is still being worked on needs nothing done.

        Raises:
            ProtocolError: invalid or after the end, a sequence number too far ahead, or a
                capture time that does not rise.
        """
        if self.state is State.ENDED:
            raise ProtocolError("a frame after the end of the session")
        header, image = decode_frame(message)
        sequence = header.sequence
        if sequence in self._pending:
            return None
        known = self._answers.get(sequence)
        if known is not None:
            return self._fresh(known)
        if sequence <= self.highest and sequence not in self._lost:
            return self._refusal(sequence, "forgotten")
        if self.highest and sequence - self.highest > MAX_JUMP:
            raise ProtocolError(f"frame {sequence} follows frame {self.highest}")
        again = sequence <= self.highest
        if self._ordered:
            self._check_time(header.capture_us, self._lost_us if again else self._capture_us)
        if again:
            self._lost_us = header.capture_us
        self._capture_us = max(self._capture_us, header.capture_us)
        self.highest = max(self.highest, sequence)
        # Frames come in order: those before this one that have not come will not.
        self._lost = {one for one in self._lost if one > sequence}
        self.frames += 1
        self._pending.add(sequence)
        if len(self._pending) > self.credits:
            return self.reject(sequence, "no_credit")
        return Arrival(header, image)

    def _check_time(self, capture_us: int, after_us: int) -> None:
        """Counting needs times that rise, and that 64 bits hold as nanoseconds."""
        if capture_us <= after_us:
            raise ProtocolError("capture times that do not rise")
        if not abs(capture_us) <= MAX_CAPTURE_US:
            raise ProtocolError("a capture time that is too far away")

    def answer(self, result: Result) -> Result:
        """Note and return an answer, with the acknowledgement and credits of now."""
        self._pending.discard(result.sequence)
        self.answered += 1
        result = replace(result, ack=self.ack, credits=self.credits)
        self._remember(result)
        return result

    def reject(self, sequence: int, reason: Reason, retry_after_ms: int = 0) -> Reject:
        """Note and return the refusal of a frame that will not be answered."""
        self._pending.discard(sequence)
        self.rejected[reason] += 1
        refusal = self._refusal(sequence, reason, retry_after_ms)
        self._remember(refusal)
        return refusal

    def lose(self, sequence: int, capture_us: int = NO_TIME_US) -> None:
        """Drop a frame that the client must send again; `capture_us` is of the last one counted."""
        self._pending.discard(sequence)
        self._lost.add(sequence)
        self._lost_us = capture_us
        self.frames -= 1

    def summary(self) -> Summary:
        """Totals so far."""
        return Summary(self.frames, self.answered, dict(self.rejected))

    def _refusal(self, sequence: int, reason: Reason, retry_after_ms: int = 0) -> Reject:
        return Reject(sequence, self.ack, self.credits, reason, retry_after_ms)

    def _fresh(self, answer: Answer) -> Answer:
        return replace(answer, ack=self.ack, credits=self.credits)

    def _remember(self, answer: Answer) -> None:
        self._answers[answer.sequence] = answer
        while len(self._answers) > 2 * self.credits:
            self._answers.popitem(last=False)
