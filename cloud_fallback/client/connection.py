"""A client in a thread of its own: the camera loop hands frames over and never waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...edge_runtime.errors import CloudError, InputError, ProtocolError
from ..wire.client_session import ClientStream, PendingFrame, Picture
from ..wire.frames import MAX_SERVER_TEXT, SUBPROTOCOL, CloseCode
from ..wire.messages import Bye, Hello, Reject, Result, Summary, Welcome, encode
from ..wire.url import is_loopback, stream_url
from .credentials import Secret
from .link_estimate import LinkEstimate

log = logging.getLogger("tallylens.cloud")
FIRST_BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 10.0
KEEPALIVE_S = 5.0
CLOSE_S = 5.0
_FATAL_STATUS = {
    400: ("it speaks another protocol", "Update the older of the two ends"),
    401: ("it does not know this key", "Check TALLYLENS_API_KEY and the server's file of keys"),
    403: ("this key may not connect", "Ask for a key with the scope"),
    404: ("there is no tallylens server", "Check the address given with --cloud"),
}
_FATAL_CODES = {
    CloseCode.PROTOCOL_ERROR: ("it speaks another protocol", "Update the older of the two ends"),
    CloseCode.UNAUTHORISED: _FATAL_STATUS[401],
    CloseCode.FORBIDDEN: _FATAL_STATUS[403],
    CloseCode.DUPLICATE_SESSION: ("the session goes on elsewhere", "Run one client a session"),
}

Reply = Result | Reject | None
"""What becomes of a frame; None where its time was over before an answer came."""


@dataclass
class ClassTotals:
    """What went over the link."""

    sent: int = 0
    sent_bytes: int = 0
    answered: int = 0
    rejected: int = 0
    dropped: int = 0
    connections: int = 0


@dataclass(frozen=True)
class LinkState:
    """The link as it is now; seconds and bytes.

    `allowed`: the server has not said to wait. `busy_s`: until the link has carried what was sent.
    `link_debt_s`: how long frames that nobody insists on
    should leave the link alone.
    """

    connected: bool
    credits_left: int
    in_flight: int
    allowed: bool
    silent_s: float
    rtt_s: float
    bandwidth: float
    server_s: float
    busy_s: float = 0.0
    link_debt_s: float = 0.0


@dataclass(frozen=True)
class PendingReply:
    """A frame that was handed over."""

    frame: PendingFrame
    reply: Future[Reply]


class CloudClient:
    """One session with one server, kept up over lost connections.

    Args:
        address: wss://host:port; ws:// on this machine only.
        key: an API key or token.
        ca: a file of certificates to trust instead of the system's.
        hello: mode and places.
        on_late: called in the client's thread with answers to frames that were given up.
    """

    def __init__(
        self,
        address: str,
        key: Secret,
        *,
        ca: Path | None = None,
        hello: Hello | None = None,
        on_late: Callable[[PendingFrame, Result], None] | None = None,
    ) -> None:
        self.url = stream_url(address)
        self.totals = ClassTotals()
        self.problem: CloudError | None = None
        self._key = key
        self._tls = _tls(self.url, ca)
        self._stream = ClientStream(hello)
        self._estimate = LinkEstimate()
        self._refused_until = 0.0
        self._on_late = on_late
        self._lock = threading.Lock()
        self._replies: dict[int, Future[Reply]] = {}
        self._given_up: dict[int, PendingFrame] = {}
        self._changed = threading.Condition(self._lock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._hello_at = 0.0
        self._stopping = False
        self._summary: Summary | None = None
        self._thread = threading.Thread(target=self._work, name="cloud", daemon=True)

    def start(self, wait_s: float = 5.0) -> Welcome | None:
        """Connect; the welcome, or None where the server cannot be reached now.

        Raises:
            CloudError: it can, and refuses this client.
        """
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._stream.welcome or self.problem, wait_s)
            if self.problem is not None:
                raise self.problem
            return self._stream.welcome

    @property
    def welcome(self) -> Welcome | None:
        """What the server said of its model, once it did."""
        return self._stream.welcome

    def state(self) -> LinkState:
        """The link now."""
        now = time.monotonic()
        with self._lock:
            estimate = self._estimate
            return LinkState(
                self._stream.connected,
                self._stream.credits_left,
                self._stream.in_flight,
                now >= self._refused_until,
                estimate.silent_s(now),
                estimate.rtt.p95,
                estimate.bandwidth.mean,
                estimate.server.mean,
                estimate.busy_s(now),
                estimate.link_debt_s(now),
            )

    def expected_s(self, size: int) -> float:
        """About how long a frame of `size` bytes takes now."""
        with self._lock:
            return self._estimate.expected_s(size, time.monotonic())

    def submit(self, picture: Picture, capture_us: int, deadline_s: float) -> PendingReply | None:
        """Hand a frame over; None where there is no connection or no credit. Never waits."""
        with self._lock:
            frame = self._stream.offer(picture, capture_us, time.monotonic() + deadline_s)
            if frame is None:
                return None
            reply: Future[Reply] = Future()
            self._replies[frame.sequence] = reply
        self._nudge()
        return PendingReply(frame, reply)

    def abandon(self, submission: PendingReply) -> None:
        """The frame was counted without an answer; one that still comes is late."""
        with self._lock:
            self._stream.cancel(submission.frame)
            self._forget(submission.frame)

    def close(self) -> Summary | None:
        """Say goodbye; the server's summary, or None where it did not come."""
        self._stopping = True
        self._nudge()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S + 1)
        return self._summary

    def _nudge(self) -> None:
        """There is something to do in the client's thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the thread has ended
                self._loop.call_soon_threadsafe(self._wake.set)

    def _work(self) -> None:
        try:
            asyncio.run(self._keep_connected())
        finally:
            with self._lock:
                self._stream.disconnected()
                for reply in self._replies.values():
                    reply.set_result(None)
                self._replies.clear()

    async def _keep_connected(self) -> None:
        self._loop = asyncio.get_running_loop()
        expirer = asyncio.create_task(self._expire())
        backoff = FIRST_BACKOFF_S
        while not self._stopping and self.problem is None:
            connections = self.totals.connections
            try:
                await self._connect()
            except Exception as error:
                self._note(error)
            self._lost()
            if self.totals.connections > connections:
                backoff = FIRST_BACKOFF_S
            if not self._stopping and self.problem is None:
                # Full jitter: a thousand clients of one server do not come back together.
                await self._sleep(random.uniform(0, backoff))
                backoff = min(2 * backoff, LONGEST_BACKOFF_S)
        expirer.cancel()
        with self._changed:
            self._changed.notify_all()

    async def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            self._wake.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), until - time.monotonic())

    async def _connect(self) -> None:
        from websockets.asyncio.client import connect

        async with connect(
            self.url,
            ssl=self._tls,
            additional_headers={"Authorization": f"Bearer {self._key.reveal()}"},
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
            compression=None,
            max_size=MAX_SERVER_TEXT,
            ping_interval=KEEPALIVE_S,
            ping_timeout=KEEPALIVE_S,
            close_timeout=1,
            proxy=None if self._tls is None or _is_near(self.url) else True,
            logger=_quiet_logger(),
        ) as socket:
            self._hello_at = time.monotonic()
            await socket.send(encode(self._stream.hello()))
            sender = asyncio.create_task(self._send(socket))
            try:
                async for message in socket:
                    self._heard(message)
            finally:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
        self._ended(socket.close_code)

    async def _send(self, socket: Any) -> None:
        """Frames as they come; after the last one, goodbye."""
        while True:
            # Cleared before looking: what is offered from here on sets it again.
            self._wake.clear()
            now = time.monotonic()
            with self._lock:
                following = self._stream.next_message(now)
                if following is not None:
                    self._estimate.sent(following[0].sequence, len(following[1]), now)
            if following is not None:
                self.totals.sent += 1
                self.totals.sent_bytes += len(following[1])
                await socket.send(following[1])
            elif self._stopping:
                await self._goodbye(socket)
                return
            else:
                await self._wake.wait()

    async def _goodbye(self, socket: Any) -> None:
        await socket.send(encode(Bye()))
        # A server that answers closes by itself.
        await asyncio.sleep(CLOSE_S)
        await socket.close()

    def _heard(self, text: str | bytes) -> None:
        if isinstance(text, bytes):
            raise ProtocolError("the server sent a binary message")
        now = time.monotonic()
        with self._changed:
            message, frame = self._stream.receive(text)
            if isinstance(message, Welcome):
                self.totals.connections += 1
                self._estimate.greeted(now - self._hello_at)
                self._changed.notify_all()
            if isinstance(message, Summary):
                self._summary = message
            late = self._answer(message, now) if isinstance(message, Result | Reject) else None
        self._wake.set()
        if late is not None and isinstance(message, Result) and self._on_late is not None:
            self._on_late(late, message)
        log.debug("heard", extra={"message": type(message).__name__, "known": frame is not None})

    def _answer(self, message: Result | Reject, now: float) -> PendingFrame | None:
        """Hand the answer to who waits for it; the frame, if nobody does any more."""
        in_server_s = 0.0
        if isinstance(message, Result):
            in_server_s = (message.queue_ms + message.work_ms) / 1000
            self._estimate.answered(message.sequence, in_server_s, now)
            self.totals.answered += 1
        else:
            self._estimate.answered(message.sequence, in_server_s, now)
            # The server alone knows what a key has left, over all its clients.
            until = now + message.retry_after_ms / 1000
            self._refused_until = max(self._refused_until, until)
            self.totals.rejected += 1
        reply = self._replies.pop(message.sequence, None)
        if reply is not None:
            reply.set_result(message)
        return self._given_up.pop(message.sequence, None)

    async def _expire(self) -> None:
        """Drop what nobody can use any more."""
        while True:
            await asyncio.sleep(0.02)
            with self._lock:
                for frame in self._stream.expire(time.monotonic()):
                    self.totals.dropped += 1
                    self._forget(frame)

    def _forget(self, frame: PendingFrame) -> None:
        reply = self._replies.pop(frame.sequence, None)
        if reply is not None:
            reply.set_result(None)
        self._given_up[frame.sequence] = frame
        while len(self._given_up) > 64:
            self._given_up.pop(next(iter(self._given_up)))

    def _lost(self) -> None:
        with self._lock:
            self._stream.disconnected()
            self._estimate.lost()

    def _ended(self, code: int | None) -> None:
        """The server closed; for good, where coming back would change nothing."""
        if code in _FATAL_CODES:
            self.problem = CloudError(self.url, *_FATAL_CODES[CloseCode(code)])

    def _note(self, error: Exception) -> None:
        """What ended a connection; some things no other attempt will change."""
        from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError

        log.info("connection lost", extra={"error": type(error).__name__})
        if isinstance(error, ConnectionClosed) and error.rcvd is not None:
            self._ended(error.rcvd.code)
        elif isinstance(error, InvalidStatus):
            why = _FATAL_STATUS.get(error.response.status_code)
            self.problem = CloudError(self.url, *why) if why else None
        elif isinstance(error, ssl.SSLCertVerificationError):
            self.problem = CloudError(
                self.url,
                f"its certificate cannot be trusted ({error.verify_message})",
                "Give the authority's certificate with --ca",
            )
        elif isinstance(error, (ProtocolError, NegotiationError)):
            self.problem = CloudError(self.url, *_FATAL_STATUS[400])


def _is_near(url: str) -> bool:
    from urllib.parse import urlsplit

    return is_loopback(urlsplit(url).hostname or "")


def _tls(url: str, ca: Path | None) -> ssl.SSLContext | None:
    """Verified TLS, always; None for ws:// on this machine."""
    if not url.startswith("wss:"):
        return None
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            ca or "certificates", "no certificates in PEM form", "Give the authority's file"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _quiet_logger() -> logging.Logger:
    """At DEBUG the library writes headers and the start of every message."""
    logger = logging.getLogger("tallylens.cloud.socket")
    logger.setLevel(logging.WARNING)
    return logger
