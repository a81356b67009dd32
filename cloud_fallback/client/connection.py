"""A client in a thread of its own: the caller submits frames and never waits for the network."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...edge_runtime.errors import CloudError, ProtocolError
from ...edge_runtime.sources import no_notice
from ..wire.client_session import ClientSession, EncodedImage, PendingFrame, State
from ..wire.messages import Bye, Hello, Reject, Result, Summary, Welcome, encode
from ..wire.url import stream_url
from .credentials import Secret
from .failures import permanent_error, permanent_failure, refuses_session
from .keepalive import keep_alive
from .link_estimate import LinkEstimate
from .link_state import LinkState, LinkTotals
from .pending_replies import PendingReplies, PendingReply
from .refusals import Refusals
from .websocket import open_websocket, tls_context

log = logging.getLogger("tallylens.cloud")
FIRST_BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 10.0
# Repairing a key, a certificate or a proxy takes longer than restarting a server.
LONGEST_REFUSED_BACKOFF_S = 30.0
CLOSE_S = 5.0
EXPIRE_EVERY_S = 0.02


class CloudClient:
    """One session with one server, kept up over lost connections.

    Args:
        address: wss://host:port; ws:// on this machine only.
        key: an API key or token.
        ca: a file of CA certificates to trust instead of the system's.
        hello: mode and regions.
        on_late: called in the client's thread with answers to frames that were abandoned.
        on_notice: called in the client's thread with a sentence when the server starts to refuse
            this client, and when it accepts it again.

    Attributes:
        problem: why the client has ended for good: the server has never accepted it.
        refusals: why and how often the server refused.
    """

    def __init__(
        self,
        address: str,
        key: Secret,
        *,
        ca: Path | None = None,
        hello: Hello | None = None,
        on_late: Callable[[PendingFrame, Result], None] | None = None,
        on_notice: Callable[[str], None] = no_notice,
    ) -> None:
        self.url = stream_url(address)
        self.totals = LinkTotals()
        self.problem: CloudError | None = None
        self.refusals = Refusals(on_notice)
        self._key = key
        self._tls = tls_context(self.url, ca)
        self._session = ClientSession(hello)
        # A server that counts needs every frame; other frames are better off on the device.
        self._resends = hello is not None and hello.mode == "count"
        self._estimate = LinkEstimate()
        self._refused_until = 0.0
        self._on_late = on_late
        self._lock = threading.Lock()
        self._replies = PendingReplies()
        self._changed = threading.Condition(self._lock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._hello_at = self._heard_at = 0.0
        self._starting = self._stopping = False
        self._summary: Summary | None = None
        self._thread = threading.Thread(target=self._work, name="cloud", daemon=True)

    # Called from any thread:

    def start(self, wait_s: float = 5.0) -> Welcome | None:
        """Connect; the welcome, or None where the server cannot be reached within `wait_s`.

        Raises:
            CloudError: the server refuses this client.
        """
        self._starting = True
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._session.welcome or self.problem, wait_s)
            self._starting = False
            if self.problem is not None:
                raise self.problem
            return self._session.welcome

    @property
    def welcome(self) -> Welcome | None:
        """The last welcome of the server; None before the first."""
        return self._session.welcome

    def state(self) -> LinkState:
        """The link now."""
        now = time.monotonic()
        with self._lock:
            estimate = self._estimate
            return LinkState(
                self._session.state is State.OPEN,
                self._session.credits_left,
                self._session.in_flight,
                now >= self._refused_until,
                estimate.silent_s(now),
                estimate.rtt.p95,
                estimate.bandwidth.mean,
                estimate.server.mean,
                estimate.busy_s(now),
                estimate.link_debt_s(now),
                estimate.silence_limit_s(),
                estimate.measured(now),
                max(estimate.unanswered, self._session.in_flight),
            )

    def expected_s(self, size: int) -> float:
        """Expected time from now to the answer of a frame of `size` bytes, 95th percentile."""
        with self._lock:
            return self._estimate.expected_s(size, time.monotonic())

    def submit(
        self, image: EncodedImage, capture_us: int, deadline_s: float
    ) -> PendingReply | None:
        """Submit a frame; None where there is no connection or no credit. Never waits."""
        with self._lock:
            frame = self._session.submit(image, capture_us, time.monotonic() + deadline_s)
            if frame is None:
                return None
            pending = self._replies.add(frame)
        self._notify()
        return pending

    def abandon(self, pending: PendingReply) -> None:
        """Stop waiting for a frame; an answer that still comes goes to `on_late`."""
        with self._lock:
            self._session.cancel(pending.frame)
            self._replies.abandon(pending.frame)

    def stop_waiting(self, pending: PendingReply) -> None:
        """Send a frame nevertheless; its answer goes to `on_late`."""
        with self._lock:
            self._replies.abandon(pending.frame)

    def close(self, wait_s: float = CLOSE_S) -> Summary | None:
        """End the session; the server's summary, or None where it did not come in `wait_s`."""
        self._stopping = True
        self._notify()
        if self._thread.ident is not None:
            self._thread.join(wait_s + min(1.0, wait_s))
        return self._summary

    def _notify(self) -> None:
        """Wake the client's thread: there is something to do."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the thread has ended
                self._loop.call_soon_threadsafe(self._wake.set)

    # Called in the client's thread:

    def _work(self) -> None:
        try:
            asyncio.run(self._keep_connected())
        finally:
            with self._lock:
                self._session.connection_lost()
                self._replies.abandon_all()

    async def _keep_connected(self) -> None:
        self._loop = asyncio.get_running_loop()
        expirer = asyncio.create_task(self._expire())
        backoff = FIRST_BACKOFF_S
        while not self._stopping and self.problem is None:
            connections = self.totals.connections
            refusal = await self._connect_once()
            self._connection_lost()
            if self.totals.connections > connections:
                backoff = FIRST_BACKOFF_S
            if not self._stopping and self.problem is None:
                # Full jitter: a thousand clients of one server do not come back together.
                await self._sleep(random.uniform(0, backoff))
                backoff = min(2 * backoff, _longest_backoff_s(refusal))
        expirer.cancel()

    async def _connect_once(self) -> CloudError | None:
        """Connect, and stay connected for as long as it lasts; why the server refused, if so."""
        try:
            refusal = await self._connect()
        except Exception as error:
            log.info("connection lost", extra={"error": type(error).__name__})
            refusal = permanent_failure(self.url, error)
            if refuses_session(error):
                self._session.start_over()
        if refusal is not None:
            self._refused(refusal)
        return refusal

    def _refused(self, refusal: CloudError) -> None:
        """Give up where the server has never accepted this client."""
        with self._changed:
            final, quiet = self._session.welcome is None, self._starting
            if final:
                self.problem = refusal
                self._changed.notify_all()
        self.refusals.refused(refusal, final=final, quiet=final and quiet)

    async def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            self._wake.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), until - time.monotonic())

    async def _connect(self) -> CloudError | None:
        async with open_websocket(self.url, self._key, self._tls) as socket:
            self._hello_at = time.monotonic()
            await socket.send(encode(self._session.hello()))
            others = [
                asyncio.create_task(self._send(socket)),
                asyncio.create_task(keep_alive(socket, lambda: self._heard_at, self._transit_s)),
            ]
            try:
                async for message in socket:
                    self._message_received(message)
            finally:
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)
        return permanent_error(self.url, socket.close_code)

    async def _send(self, socket: Any) -> None:
        """Send frames as they come; after the last one, goodbye."""
        while True:
            # Cleared before looking: what is submitted from here on sets it again.
            self._wake.clear()
            now = time.monotonic()
            with self._lock:
                following = self._session.frame_to_send(now)
                if following is not None:
                    self._estimate.sent(following[0].sequence, len(following[1]), now)
            if following is not None:
                self.totals.sent += 1
                self.totals.sent_bytes += len(following[1])
                await socket.send(following[1])
            elif self._stopping:
                await socket.send(encode(Bye()))
                # A server that answers closes by itself.
                await asyncio.sleep(CLOSE_S)
                await socket.close()
                return
            else:
                await self._wake.wait()

    def _message_received(self, text: str | bytes) -> None:
        if isinstance(text, bytes):
            raise ProtocolError("the server sent a binary message")
        self._heard_at = now = time.monotonic()
        with self._changed:
            message, frame = self._session.message_received(text)
            if isinstance(message, Welcome):
                self.totals.connections += 1
                self._estimate.welcomed(now - self._hello_at)
                self._changed.notify_all()
            if isinstance(message, Summary):
                self._summary = message
            late = self._answered(message, now) if isinstance(message, Result | Reject) else None
        self._wake.set()
        if isinstance(message, Welcome):
            self.refusals.accepted(self.url)
        if late is not None and isinstance(message, Result) and self._on_late is not None:
            self._on_late(late, message)
        known = frame is not None
        log.debug("received", extra={"message": type(message).__name__, "known": known})

    def _answered(self, message: Result | Reject, now: float) -> PendingFrame | None:
        """Complete the reply of a frame; the frame, where it was abandoned."""
        if isinstance(message, Result):
            server_s = (message.queue_ms + message.work_ms) / 1000
            self._estimate.answered(message.sequence, server_s, now)
            self.totals.answered += 1
        else:
            self._estimate.answered(message.sequence, 0.0, now)
            # The server alone knows what a key has left, over all its clients.
            until = now + message.retry_after_ms / 1000
            self._refused_until = max(self._refused_until, until)
            self.totals.rejected += 1
        return self._replies.complete(message)

    async def _expire(self) -> None:
        """Drop the frames that are of no use any more."""
        while True:
            await asyncio.sleep(EXPIRE_EVERY_S)
            now = time.monotonic()
            with self._lock:
                self._drop(self._session.expire(now))
                estimate = self._estimate
                if estimate.silent_s(now) > estimate.silence_limit_s() and not self._resends:
                    self._drop(self._session.cancel_all())

    def _drop(self, frames: list[PendingFrame]) -> None:
        for frame in frames:
            self.totals.dropped += 1
            self._replies.abandon(frame)

    def _transit_s(self) -> float:
        with self._lock:
            return self._estimate.transit_s(time.monotonic())

    def _connection_lost(self) -> None:
        """Threads that wait for a frame learn it at once: the device's own model has time now."""
        with self._lock:
            if not self._resends:
                self._drop(self._session.cancel_all())
            self._session.connection_lost()
            self._estimate.connection_lost()


def _longest_backoff_s(refusal: CloudError | None) -> float:
    return LONGEST_BACKOFF_S if refusal is None else LONGEST_REFUSED_BACKOFF_S
