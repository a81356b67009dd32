"""A sink that delivers through a transport: a bounded queue, a thread of its own, retries."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from tallylens.edge_runtime.counting.events import event_record
from tallylens.edge_runtime.counting.period_totals import Period
from tallylens.edge_runtime.counting.regions import reports_as_dict
from tallylens.edge_runtime.counting.saved_count import whole_number
from tallylens.edge_runtime.counting.sinks import FrameResult
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.sources import no_notice
from tallylens.sinks.spool import SPOOL_ERRORS, Spool
from tallylens.sinks.transport import DeliveryError, Message, RefusedError, Transport

MAX_WAITING = 10_000
FINISH_S = 5.0
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 60.0


class DeliverySink:
    """Sends events, closed periods and totals; a slow or absent receiver never delays the count.

    Messages wait in a queue. If it is full, the oldest ones are dropped. `finish` says what was
    not delivered. See `Sink` and `FinishingSink`.

    Args:
        transport: carries the messages.
        spool: keeps what is not delivered; None drops it at the end.
        limit: maximum number of messages that wait.
        finish_s: maximum seconds that the end of the count waits for the receiver.
        on_notice: receives a sentence when delivery stops and when it resumes.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        spool: Spool | None = None,
        limit: int = MAX_WAITING,
        finish_s: float = FINISH_S,
        on_notice: Callable[[str], None] = no_notice,
    ) -> None:
        self.name, self.key = transport.name, transport.key
        self._transport, self._spool = transport, spool
        self._limit, self._finish_s, self._on_notice = limit, finish_s, on_notice
        self._count, self._sequence = "", 0
        self._queue: deque[Message] = deque()
        self._totals: Mapping[str, Any] | None = None
        self._totals_changed = True
        self._in_flight = 0
        self._dropped = self._refused = 0
        self._problem = self._refusal = self._spool_problem = ""
        self._ending = self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Start the thread; first it sends what the spool kept."""
        own = saved.get(self.key, {})
        self._count = str(own.get("count") or secrets.token_hex(8))
        self._sequence = whole_number(own, "sequence")
        if self._spool is not None:
            # Events after the save are counted again.
            self._queue.extend(
                message
                for message in self._spool.load()
                if message.count != self._count or message.sequence < self._sequence
            )
        self._thread = threading.Thread(
            target=self._work, args=(self._sequence,), name=f"sink {self.name}", daemon=True
        )
        self._thread.start()

    def frame(self, result: FrameResult) -> None:
        """Queue the events of the frame."""
        if not (result.events or self._totals_changed):
            return
        bodies = [event_record(event, result) for event in result.events]
        totals = _totals(result.totals)
        self._totals_changed = False
        with self._changed:
            self._put(bodies)
            self._totals = totals
            self._changed.notify_all()

    def period(self, period: Period) -> None:
        """Queue the totals of the period."""
        self._totals_changed = True
        with self._changed:
            self._put([{"event": "period", **period.as_dict()}])
            self._changed.notify_all()

    def _put(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        for body in bodies:
            self._queue.append(Message(self._count, self._sequence, body))
            self._sequence += 1
            if len(self._queue) > self._limit + self._in_flight:
                del self._queue[self._in_flight]
                self._dropped += 1

    def save(self) -> dict[str, Any]:
        """The number of the next message; what waits is in the spool now."""
        self._keep()
        return {self.key: {"count": self._count, "sequence": self._sequence}}

    def _keep(self, *, compact: bool = False) -> None:
        if self._spool is None:
            return
        with self._changed:
            waiting = list(self._queue)
        try:
            self._spool.save(waiting, compact=compact)
            self._spool_problem = ""
        except SPOOL_ERRORS as error:
            self._spool_problem = str(error)

    def finish(self) -> list[str]:
        """Wait a limited time for the receiver; sentences on what was not delivered."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            self._changed.wait_for(self._is_idle, self._finish_s)
        self._keep(compact=True)
        return self._warnings()

    def _is_idle(self) -> bool:
        return not self._queue and self._totals is None

    def _warnings(self) -> list[str]:
        with self._changed:
            waiting, problem = len(self._queue), self._problem or "too slow"
            dropped, refused, refusal = self._dropped, self._refused, self._refusal
        found = []
        if waiting:
            found.append(f"{self.name}: {waiting} events were not delivered ({problem}); ")
            if self._spool is None:
                found[0] += "keep such events for the next count with --spool DIR"
            elif self._spool_problem:
                found[0] += f"they could not be kept either: {self._spool_problem}"
            else:
                found[0] += f"they are kept in {self._spool.path} for the next count"
        elif self._totals is not None:
            found.append(f"{self.name}: the last totals were not delivered ({problem})")
        if dropped:
            found.append(
                f"{self.name}: {dropped} events were dropped, because {self._limit} others waited"
            )
        if refused:
            found.append(f"{self.name}: {refused} events were refused ({refusal})")
        return found

    def close(self) -> None:
        """Stop the thread; the spool holds what still waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(1.0)
            self._keep(compact=True)

    def _work(self, sequence: int) -> None:
        started, retry_s = False, 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or not self._is_idle())
                if self._closed:
                    break
                batch = list(islice(self._queue, self._transport.batch))
                totals = None if len(batch) < len(self._queue) else self._totals
                self._in_flight = len(batch)
            try:
                if not started:
                    self._transport.start(self._count, sequence)
                    started = True
                self._send(batch)
                if totals is not None:
                    self._transport.show(totals)
            except DeliveryError as error:
                retry_s = self._failed(error, retry_s)
            else:
                retry_s = 0.0
                self._delivered(totals)
        self._transport.close()

    def _send(self, batch: Sequence[Message]) -> None:
        if not batch:
            return
        try:
            self._transport.send(batch)
        except RefusedError as error:
            with self._changed:
                self._refused += len(batch)
                self._refusal = str(error)
        # They are not sent again if the totals that follow fail.
        with self._changed:
            for _ in batch:
                self._queue.popleft()
            self._in_flight = 0
            self._changed.notify_all()

    def _delivered(self, totals: Mapping[str, Any] | None) -> None:
        with self._changed:
            resumed, self._problem = bool(self._problem), ""
            if self._totals is totals:
                self._totals = None
            self._changed.notify_all()
        if resumed:
            self._on_notice(f"{self.name}: delivery resumed")

    def _failed(self, error: DeliveryError, retry_s: float) -> float:
        retry_s = min(max(2 * retry_s, FIRST_RETRY_S, error.wait_s), LAST_RETRY_S)
        with self._changed:
            first, self._problem, self._in_flight = not self._problem, str(error), 0
        if first:
            self._on_notice(f"{self.name}: {error}; events wait and are sent later")
        end = time.monotonic() + retry_s
        with self._changed:
            # The end of the count does not wait for a late retry.
            self._changed.wait_for(lambda: self._closed or self._ending, retry_s)
            if self._ending:
                left = min(end - time.monotonic(), FIRST_RETRY_S)
                self._changed.wait_for(lambda: self._closed, max(left, 0.0))
        return retry_s


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "seconds": round(totals.seconds, 3),
        "unique": totals.unique(),
        **reports_as_dict(totals.regions()),
    }
