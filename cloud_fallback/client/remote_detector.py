"""A frame to the server and its answer back, in the device's own terms."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from ...edge_runtime.types import Detections, Image
from ..wire.client_session import PendingFrame
from ..wire.frames import MAX_CREDITS
from ..wire.messages import Result, Welcome
from .answers import Answers
from .connection import CloudClient, PendingReply
from .encoder import BEST_JPEG, EXACT, SPARING, FrameEncoder
from .late_results import LateResults

# Of the time until the deadline that nothing else needs, what the way up may take.
TRANSFER_SHARE = 0.5


class RemoteDetector:
    """Packs pictures for the server's model, waits for answers, and notes those that come late.

    Args:
        connect: makes the client, given what to call with late answers.
        class_names: of the device's model.
        digest: of the device's model.
        sparing: bytes matter more than that the server sees exactly what the device sees.
        live: the first frames may not wait until the link is known.
    """

    def __init__(
        self,
        connect: Callable[[Callable[[PendingFrame, Result], None]], CloudClient],
        class_names: Sequence[str],
        *,
        digest: str,
        sparing: bool,
        live: bool,
    ) -> None:
        self.client = connect(self._correct)
        self.corrections = LateResults()
        self._names = class_names
        self._digest, self._sparing, self._live = digest, sparing, live
        self._lock = threading.Lock()
        self._packing = threading.Lock()
        self._waits: dict[int, tuple[float, float]] = {}
        self._serves: tuple[Any, ...] = ()
        self._packer: FrameEncoder | None = None
        self._answers = Answers((), class_names)

    def packer(self) -> FrameEncoder | None:
        """Ready as soon as the server has said what it runs; one that came back may run another."""
        welcome = self.client.welcome
        if welcome is None:
            return None
        serves = (welcome.digest, welcome.classes, welcome.input_size, welcome.limits)
        with self._lock:
            if self._packer is None or serves != self._serves:
                self._serves = serves
                self._answers = Answers(welcome.classes, self._names)
                self._packer = self._new_packer(welcome)
            return self._packer

    def _new_packer(self, welcome: Welcome) -> FrameEncoder:
        """Who sends everything there wants what is counted here: pixels as they are, if the link
        carries them; a live source finds that out first.
        """
        most = welcome.limits.frame_bytes
        if self._sparing:
            best, worst = SPARING
            return FrameEncoder(welcome.input_size, most, top=best, bottom=worst, start=best)
        if self._same():
            # From a lesser picture the same model sees less than here.
            return FrameEncoder(welcome.input_size, most, top=EXACT, bottom=EXACT, start=EXACT)
        start = BEST_JPEG if self._live else EXACT
        return FrameEncoder(welcome.input_size, most, top=EXACT, start=start)

    def expected_s(self) -> float:
        """About how long the next frame would take, to its answer."""
        packer = self.packer()
        return self.client.expected_s(packer.expected_bytes()) if packer else 0.0

    def throughput_s(self) -> float:
        """Seconds a frame when many go there; 0 where that is not known yet."""
        link, packer = self.client.state(), self.packer()
        if packer is None or not link.bandwidth:
            return 0.0
        # A link carries frames one after the other; for answers they wait side by side.
        transfer_s = packer.expected_bytes() / link.bandwidth
        return max(transfer_s, (link.rtt_s + link.server_s) / max(1, link.in_flight))

    def ask(self, image: Image, last: float) -> Detections | None:
        """What the server finds, or None where no answer came before `last`, monotonic seconds."""
        packer, link = self.packer(), self.client.state()
        assert packer is not None, "there is a connection"
        with self._packing:
            left = last - time.monotonic() - link.busy_s - link.rtt_s - link.server_s
            packer.adapt(link.bandwidth, left * TRANSFER_SHARE)
            picture = packer.pack(image)
        left = last - time.monotonic()
        submission = self.client.submit(picture, time.monotonic_ns() // 1000, max(left, 0.001))
        return None if submission is None else self._await(submission, image, last)

    def _await(self, submission: PendingReply, image: Image, last: float) -> Detections | None:
        height, width = image.shape[:2]
        picture = submission.frame.picture
        scale = (width / picture.width, height / picture.height)
        with self._lock:
            self._waits[submission.frame.sequence] = scale
            while len(self._waits) > 2 * MAX_CREDITS:  # answers that never came
                self._waits.pop(next(iter(self._waits)))
        try:
            reply = submission.reply.result(max(0.0, last - time.monotonic()))
        except FutureTimeout:
            reply = None
        if not isinstance(reply, Result):
            self.client.abandon(submission)
            return None
        with self._lock:
            self._waits.pop(submission.frame.sequence, None)
        return self._answers.read(reply, scale)

    def _correct(self, frame: PendingFrame, result: Result) -> None:
        """An answer after its frame was counted still knows what the objects are."""
        with self._lock:
            scale = self._waits.pop(frame.sequence, None)
        if scale is not None:
            late = Detections.empty() if self._same() else self._answers.read(result, scale)
            self.corrections.note(late, time.monotonic())

    def _same(self) -> bool:
        """Whether the server runs the device's own model, which knows nothing better."""
        welcome = self.client.welcome
        return bool(welcome and self._digest and self._digest == welcome.digest)
