"""Sessions outlive their connections: for two minutes a client may come back to its own."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ..wire.frames import RESUME_SECONDS, CloseCode
from ..wire.messages import Hello, Mode
from ..wire.server_session import NO_TIME_US, Answer, ServerStream, StreamState
from .auth import Caller
from .counting import CountState, SessionCount
from .keys import hash_of

MAX_SESSIONS = 20_000
ELSEWHERE = "the session goes on elsewhere"


class SessionPeer(Protocol):
    """The connection of a session, as the session sees it."""

    def send(self, answer: Answer) -> None:
        """Send without waiting."""

    def close(self, code: int, reason: str) -> None:
        """Close without waiting."""


@dataclass(frozen=True)
class Saved:
    """A session outside of any process. `generation` counts the processes that have had it."""

    id: str
    resume_hash: str
    key_hash: str
    mode: Mode
    most: int
    generation: int
    stream: StreamState
    count: CountState | None


class SessionStore(Protocol):
    """Where processes find each other's sessions."""

    async def take(self, session: str, resume_hash: str) -> Saved | None:
        """A session for who holds its token; whoever had it before may keep it no longer."""

    async def keep(self, saved: Saved) -> bool:
        """Write a session down; False where another process has it."""


@dataclass
class Session:
    """One client's frames and answers.

    `left` is when its last connection was lost, `most` how many sessions its key may have waiting.
    """

    id: str
    resume_hash: str
    key_hash: str
    mode: Mode
    stream: ServerStream
    count: SessionCount | None = None
    outlet: SessionPeer | None = None
    left: float = 0.0
    most: int = MAX_SESSIONS
    generation: int = 0
    ended: bool = False

    def save(self) -> Saved:
        """What another process needs to go on."""
        count = None if self.count is None else self.count.save()
        return Saved(
            self.id,
            self.resume_hash,
            self.key_hash,
            self.mode,
            self.most,
            self.generation,
            self.stream.save(),
            count,
        )

    def send(self, answer: Answer) -> None:
        """To the client if it is there; what it misses it gets when it comes back."""
        if self.outlet is not None:
            self.outlet.send(answer)


class Sessions:
    """All sessions of this process."""

    def __init__(self, credits: int, class_names: tuple[str, ...]) -> None:
        self._credits = credits
        self._class_names = class_names
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def open(self, hello: Hello, caller: Caller) -> tuple[Session, str]:
        """A new session, and the token that resumes it."""
        token = secrets.token_hex(16)
        count = None
        if hello.mode == "count":
            count = SessionCount(self._class_names, hello.places, hello.any_class)
        session = Session(
            id=secrets.token_hex(8),
            resume_hash=hash_of(token),
            key_hash=caller.key.sha256,
            mode=hello.mode,
            stream=ServerStream(self._credits, ordered=count is not None),
            count=count,
            most=caller.key.plan.connections,
        )
        self._sessions[session.id] = session
        return session, token

    def resume(self, hello: Hello, caller: Caller) -> Session | None:
        """The session that the client had, if the token and the key are those of then."""
        session = self._sessions.get(hello.session)
        if session is None or session.mode != hello.mode:
            return None
        same = hmac.compare_digest(session.resume_hash, hash_of(hello.resume))
        return session if same and session.key_hash == caller.key.sha256 else None

    def adopt(self, saved: Saved) -> None:
        """A session that began in another process; what is known of it here is older."""
        before = self._sessions.get(saved.id)
        if before is not None and before.outlet is not None:
            before.outlet.close(CloseCode.DUPLICATE_SESSION, ELSEWHERE)
        count = None if saved.count is None else SessionCount.restored(saved.count)
        stream = ServerStream(self._credits, ordered=count is not None)
        stream.restore(saved.stream, NO_TIME_US if count is None else count.last_us)
        self._sessions[saved.id] = Session(
            id=saved.id,
            resume_hash=saved.resume_hash,
            key_hash=saved.key_hash,
            mode=saved.mode,
            stream=stream,
            count=count,
            left=time.monotonic(),
            most=saved.most,
            generation=saved.generation,
        )

    def leave(self, session: Session) -> None:
        """The connection is lost; the session waits."""
        session.outlet = None
        session.left = time.monotonic()

    def end(self, session: Session) -> None:
        """Forget the session."""
        session.ended = True
        self._sessions.pop(session.id, None)

    def over(self) -> list[Session]:
        """Sessions whose client stayed away too long, and the oldest of too many: in all, and of
        one key, which may have as many waiting as connected.
        """
        waiting = sorted((one for one in self if one.outlet is None), key=lambda one: -one.left)
        limit = time.monotonic() - RESUME_SECONDS
        kept = MAX_SESSIONS - (len(self) - len(waiting))
        of_key: Counter[str] = Counter()
        over = []
        for number, session in enumerate(waiting):
            of_key[session.key_hash] += 1
            surplus = number >= kept or of_key[session.key_hash] > session.most
            if surplus or session.left < limit:
                over.append(session)
        return over
