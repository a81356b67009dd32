"""Passwords: argon2id in threads, at most two at a time (RFC 9106; OWASP's second choice)."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..problems import ProblemError
from ..rate_limit import RateLimit

T = TypeVar("T")

MEMORY_KIB = 19 << 10
PASSES = 2
AT_ONCE = 2
MAX_WAITING = 64
SHORTEST, LONGEST = 10, 128


class Passwords:
    """Hashes passwords and checks them; both take the same time for accounts that do not exist."""

    def __init__(self) -> None:
        from argon2 import PasswordHasher

        self._hasher = PasswordHasher(PASSES, MEMORY_KIB, parallelism=1)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        # Compared with where there is no account, so that it takes as long.
        self._nobody = self._hasher.hash(secrets.token_hex(16))
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The text that is stored of a password.

        Raises:
            ProblemError: 503 while too many others wait.
        """
        return await self._run(self._hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether a password is the stored one; False, after the same time, for None.

        Raises:
            ProblemError: 503 while too many others wait.
        """
        found = await self._run(self._verify, stored or self._nobody, password)
        return found and stored is not None

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[..., T], *arguments: str) -> T:
        if self._waiting >= MAX_WAITING:
            limit = RateLimit("passwords", MAX_WAITING)
            raise ProblemError(503, "too many people sign in", "Try again", retry_s=5, limit=limit)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work, *arguments)
        finally:
            self._waiting -= 1

    def _hash(self, password: str) -> str:
        return str(self._hasher.hash(password))

    def _verify(self, stored: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return bool(self._hasher.verify(stored, password))
        except (VerificationError, InvalidHashError):
            return False


def check_password(password: str, email: str = "") -> None:
    """Raise ProblemError (422) for a password that cannot be used."""
    problem = ""
    if not SHORTEST <= len(password) <= LONGEST:
        problem = f"the password has not {SHORTEST} to {LONGEST} characters"
    elif password.lower() in (email, email.partition("@")[0]) or len(set(password)) < 4:
        problem = "the password is easy to guess"
    if problem:
        raise ProblemError(422, problem, "Use several words", kind="password")


def fingerprint(stored: str | None) -> str:
    """A text that changes with the password and does not show its hash."""
    return hashlib.sha256((stored or "").encode()).hexdigest()[:16]
