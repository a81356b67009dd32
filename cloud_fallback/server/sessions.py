"""Sessions outlive their connections: for two minutes a client may resume its own."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ..wire.constants import RESUME_SECONDS, CloseCode
from ..wire.messages import Hello, Mode, ServerMessage
from ..wire.server_session import NO_TIME_US, Answer, SavedProtocol, ServerSession
from .auth import Caller
from .counting import SavedCount, SessionCount
from .keys import hash_of

MAX_SESSIONS = 20_000
RESUMED_ELSEWHERE = "another connection has resumed the session"


class SessionPeer(Protocol):
    """The connection of a session, as the session and the service see it."""

    @property
    def caller(self) -> Caller:
        """The authenticated client."""

    def send(self, message: ServerMessage) -> None:
        """Queue a message, without waiting."""

    def close(self, code: CloseCode, reason: str) -> None:
        """Close without waiting."""


@dataclass(frozen=True)
class SavedSession:
    """A session outside of any process. `generation` counts the processes that have claimed it."""

    id: str
    resume_hash: str
    key_hash: str
    mode: Mode
    max_waiting: int
    generation: int
    protocol: SavedProtocol
    count: SavedCount | None


class SessionStore(Protocol):
    """Where the processes of a cluster find each other's sessions."""

    async def claim(self, session: str, resume_hash: str) -> SavedSession | None:
        """A session for the holder of its token; the process that had it cannot save it again."""

    async def save(self, saved: SavedSession) -> bool:
        """Write a session down; False where another process has claimed it."""


@dataclass
class Session:
    """One client's frames and answers.

    Args:
        id, resume_hash: what resumes it; of the token only the hash is kept.
        key_hash: of the client's key.
        mode: whether the server also counts.
        protocol: sequence numbers, credits and answers.
        count: of mode `count`.
        peer: the connection, None while the session waits for one.
        lost_at: when the last connection was lost, monotonic seconds.
        max_waiting: maximum number of waiting sessions of its key.
        generation: number of processes that have claimed it.
    """

    id: str
    resume_hash: str
    key_hash: str
    mode: Mode
    protocol: ServerSession
    count: SessionCount | None = None
    peer: SessionPeer | None = None
    lost_at: float = 0.0
    max_waiting: int = MAX_SESSIONS
    generation: int = 0

    def save(self) -> SavedSession:
        """The state of the session, for another process to resume it."""
        count = None if self.count is None else self.count.save()
        return SavedSession(
            self.id,
            self.resume_hash,
            self.key_hash,
            self.mode,
            self.max_waiting,
            self.generation,
            self.protocol.save(),
            count,
        )

    def send(self, answer: Answer) -> None:
        """Send to the client if it is connected; else it gets the answer when it comes back."""
        if self.peer is not None:
            self.peer.send(answer)

    def connect(self, peer: SessionPeer) -> list[Answer]:
        """Take a connection in place of any older one; the answers to repeat on it."""
        if self.peer is not None:
            self.peer.close(CloseCode.DUPLICATE_SESSION, RESUMED_ELSEWHERE)
        self.peer = peer
        return self.protocol.connection_made()

    def disconnect(self, peer: SessionPeer) -> bool:
        """The connection is lost; the session waits, unless a newer connection has it (False)."""
        if self.peer is not peer:
            return False
        self.peer = None
        self.lost_at = time.monotonic()
        self.protocol.connection_lost()
        return True


class Sessions:
    """All sessions of this process.

    Args:
        credits: maximum number of frames of a session without an answer.
        class_names: of the model.
    """

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
            count = SessionCount(self._class_names, hello.regions, hello.any_class)
        session = Session(
            id=secrets.token_hex(8),
            resume_hash=hash_of(token),
            key_hash=caller.key.sha256,
            mode=hello.mode,
            protocol=ServerSession(self._credits, ordered=count is not None),
            count=count,
            max_waiting=caller.key.plan.connections,
        )
        self._sessions[session.id] = session
        return session, token

    def resume(self, hello: Hello, caller: Caller) -> Session | None:
        """The session that the client had, if token, key and mode are the same."""
        session = self._sessions.get(hello.session)
        if session is None or session.mode != hello.mode:
            return None
        same = hmac.compare_digest(session.resume_hash, hash_of(hello.resume))
        return session if same and session.key_hash == caller.key.sha256 else None

    def restore(self, saved: SavedSession) -> None:
        """Take a session that another process saved; what is known of it here is older."""
        before = self._sessions.get(saved.id)
        if before is not None and before.peer is not None:
            before.peer.close(CloseCode.DUPLICATE_SESSION, RESUMED_ELSEWHERE)
        count = None if saved.count is None else SessionCount.restored(saved.count)
        protocol = ServerSession(self._credits, ordered=count is not None)
        protocol.restore(saved.protocol, NO_TIME_US if count is None else count.last_us)
        self._sessions[saved.id] = Session(
            id=saved.id,
            resume_hash=saved.resume_hash,
            key_hash=saved.key_hash,
            mode=saved.mode,
            protocol=protocol,
            count=count,
            lost_at=time.monotonic(),
            max_waiting=saved.max_waiting,
            generation=saved.generation,
        )

    def end(self, session: Session) -> None:
        """Forget the session."""
        session.protocol.end()
        self._sessions.pop(session.id, None)

    def expired(self) -> list[Session]:
        """The sessions to end: those that waited too long, and the oldest waiting ones above
        the limits of this process and of their key.
        """
        waiting = sorted((one for one in self if one.peer is None), key=lambda one: -one.lost_at)
        limit = time.monotonic() - RESUME_SECONDS
        kept = MAX_SESSIONS - (len(self) - len(waiting))
        of_key: Counter[str] = Counter()
        over = []
        for number, session in enumerate(waiting):
            of_key[session.key_hash] += 1
            surplus = number >= kept or of_key[session.key_hash] > session.max_waiting
            if surplus or session.lost_at < limit:
                over.append(session)
        return over
