"""What a server remembers of one client, over all its connections. No I/O, no clock."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...edge_runtime.errors import ProtocolError
from .frames import MAX_CAPTURE_US, MAX_JUMP, FrameHeader, decode_frame
from .messages import Reason, Reject, Result, Summary

Answer = Result | Reject
# Before every capture time.
NO_TIME_US = -(1 << 63)


@dataclass(frozen=True)
class Arrival:
    """A frame that was not seen before."""

    header: FrameHeader
    picture: memoryview


@dataclass(frozen=True)
class StreamState:
    """What another process needs to go on with a stream.

    `lost`: frames up to `highest` that had arrived and were not answered.
    """

    highest: int
    lost: tuple[int, ...]
    frames: int
    answered: int
    rejected: dict[str, int]
    answers: tuple[Answer, ...]


class ServerStream:
    """Sequence numbers, answers and credits of one session.

    A client has at most `credits` frames unanswered, so that after a broken connection it can lack
    no more answers than that: twice as many are remembered. A frame older than them is refused as
    `forgotten`; no frame arrives twice.
    """

    def __init__(self, credits: int, *, ordered: bool = False) -> None:
        """Give `ordered` where the server counts: capture times must then rise."""
        self.credits = credits
        self._ordered = ordered
        self._capture_us = NO_TIME_US
        self.highest = 0
        self.frames = 0
        self.answered = 0
        self.rejected: Counter[str] = Counter()
        self._pending: set[int] = set()
        # Of another process, and not sent again yet.
        self._lost: set[int] = set()
        self._answers: OrderedDict[int, Answer] = OrderedDict()

    def save(self) -> StreamState:
        """The stream without the frames that are still worked on: they will be sent again."""
        return StreamState(
            self.highest,
            tuple(self._pending | self._lost),
            self.frames - self.pending,
            self.answered,
            dict(self.rejected),
            tuple(self._answers.values()),
        )

    def restore(self, state: StreamState, capture_us: int) -> None:
        """Go on from what another process saved; the last frame counted is of `capture_us`."""
        self.highest, self._lost = state.highest, set(state.lost)
        self.frames, self.answered = state.frames, state.answered
        self.rejected = Counter(state.rejected)
        self._answers = OrderedDict((one.sequence, one) for one in state.answers)
        self._capture_us = capture_us

    @property
    def pending(self) -> int:
        """Frames without an answer yet."""
        return len(self._pending)

    @property
    def ack(self) -> int:
        """Every frame up to this number has been answered."""
        return min(self._pending | self._lost, default=self.highest + 1) - 1

    @property
    def arrived(self) -> int:
        """Frames up to this number need not be sent again."""
        return min(self._lost, default=self.highest + 1) - 1

    def receive(self, message: bytes) -> Arrival | Answer | None:
        """What a binary message brings: a new frame, an answer to send, or neither.

        Nothing is to be done about a repeated frame that is being worked on.

        Raises:
            ProtocolError: no frame, a sequence that jumps too far, or time standing still.
        """
        header, picture = decode_frame(message)
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
        if self._ordered:
            self._check_time(header.capture_us)
        self._capture_us = header.capture_us
        self.highest = max(self.highest, sequence)
        # Frames come in order: those before this one that have not come will not.
        self._lost = {one for one in self._lost if one > sequence}
        self.frames += 1
        self._pending.add(sequence)
        if len(self._pending) > self.credits:
            return self.reject(sequence, "no_credit")
        return Arrival(header, picture)

    def _check_time(self, capture_us: int) -> None:
        """Who counts needs times that rise, and that 64 bits hold as nanoseconds."""
        if capture_us <= self._capture_us:
            raise ProtocolError("capture times that do not rise")
        if not abs(capture_us) <= MAX_CAPTURE_US:
            raise ProtocolError("a capture time that is too far away")

    def answer(self, result: Result) -> Result:
        """Note and return the answer, with the acknowledgement and credits of now."""
        self._pending.discard(result.sequence)
        self.answered += 1
        result = replace(result, ack=self.ack, credits=self.credits)
        self._remember(result)
        return result

    def reject(self, sequence: int, reason: Reason, retry_after_ms: int = 0) -> Reject:
        """The same for a frame that will not be answered."""
        self._pending.discard(sequence)
        self.rejected[reason] += 1
        refusal = self._refusal(sequence, reason, retry_after_ms)
        self._remember(refusal)
        return refusal

    def repeat(self) -> Iterator[Answer]:
        """Every answer that a client which lost its connection may lack."""
        return (self._fresh(answer) for answer in list(self._answers.values()))

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
