"""Accounts by e-mail and password: registering, signing in, and a new password.

Answers, and the time that they take, are the same whether an e-mail address has an account or not;
what is different arrives by e-mail.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from .. import audit
from ..clock import now_us
from ..database import Database, insert_if_absent
from ..identifiers import new_id
from ..problems import ProblemError
from ..sign_in.sessions import OpenedSession, end_session, end_sessions, insert_session
from ..tables import accounts
from . import guessing, mails
from .guessing import GuessLimit
from .links import Links, used_link
from .mailer import Mail, Mailer
from .passwords import Passwords, check_password, fingerprint

log = logging.getLogger("tallylens.jobs")
MAX_EMAIL = 254
# Addresses as mail programs take them, without those that need quoting.
EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def clean_email(text: str) -> str:
    """An e-mail address in lower case; raises ProblemError (422) for anything else."""
    email = text.strip().lower()
    if len(email) > MAX_EMAIL or EMAIL.fullmatch(email) is None:
        raise ProblemError(422, "this is not an e-mail address", "Check it", kind="email")
    return email


class Registration:
    """Accounts of people.

    Args:
        database: of the accounts.
        mailer: sends links.
        links: signs them.
        public_url: of the site, without a slash at the end; links begin with it.
    """

    def __init__(self, database: Database, mailer: Mailer, links: Links, public_url: str) -> None:
        self._database, self._mailer, self._links = database, mailer, links
        self._url = public_url
        self._passwords = Passwords()
        self._sending: set[asyncio.Task[None]] = set()

    async def register(self, email: str, password: str, address: str) -> None:
        """Make an account that is not verified yet, and send the link that verifies it.

        Raises:
            ProblemError: 422 for an e-mail address or password that cannot be used, 429.
        """
        email = clean_email(email)
        check_password(password, email)
        await self._limit((guessing.SIGN_UPS, guessing.network_of(address)))
        stored = await self._passwords.hash(password)
        row, usable = await self._database.call(_register, email, stored, address)
        if usable:
            token = self._links.token("verify", row.id, _bound(row))
            self._send(mails.verification(email, self._url, token))
        else:
            self._send(mails.known_already(email, self._url))

    async def verify(self, token: str, address: str) -> None:
        """Verify an account by the token of its link; raises ProblemError (422, 429)."""
        await self._limit((guessing.LINKS, guessing.network_of(address)))
        account, bound_to = self._links.read("verify", token)
        await self._database.call(_verify, account, bound_to, address)

    async def sign_in(self, email: str, password: str, address: str) -> OpenedSession:
        """Open a session.

        Raises:
            ProblemError: 401 for a wrong e-mail address or password, 403 if the address is not
                verified, 429 after too many tries.
        """
        email = clean_email(email)
        network, subject = guessing.network_of(address), guessing.of_email(email)
        await self._limit((guessing.BY_ADDRESS, network), (guessing.BY_EMAIL, subject))
        row = await self._database.call(_by_email, email)
        right = await self._passwords.matches(None if row is None else row.password, password)
        if row is None or not right:
            await self._database.call(_note_refused, row, address)
            raise ProblemError(
                401, "the e-mail address or the password is wrong", "Check both", kind="sign-in"
            )
        if row.verified is None:
            raise ProblemError(
                403,
                "the e-mail address is not verified",
                "Open the link in the e-mail; register again for a new one",
                kind="not-verified",
            )
        return await self._database.call(_open, row, network, subject, address)

    async def confirm(self, account: str, password: str, address: str) -> None:
        """Check the password of a user who is signed in, before an action that cannot be undone.

        Raises:
            ProblemError: 403 for a wrong password, 429 after too many tries.
        """
        row = await self._database.call(_by_id, account)
        network, subject = guessing.network_of(address), guessing.of_email(row.email or "")
        await self._limit((guessing.BY_ADDRESS, network), (guessing.BY_EMAIL, subject))
        if not await self._passwords.matches(row.password, password):
            await self._database.call(_note_refused, row, address)
            raise ProblemError(403, "the password is wrong", "Check it", kind="password")
        await self._database.call(_forgive, network, subject)

    async def sign_out(self, token: str) -> None:
        """End a session."""
        await self._database.call(end_session, token)

    async def request_reset(self, email: str, address: str) -> None:
        """Send a link for a new password, if there is such an account.

        Raises:
            ProblemError: 422 for what is not an e-mail address, 429.
        """
        email = clean_email(email)
        network, subject = guessing.network_of(address), guessing.of_email(email)
        await self._limit((guessing.RESETS, network), (guessing.RESETS_OF_EMAIL, subject))
        row = await self._database.call(_by_email, email)
        if row is not None:
            token = self._links.token("reset", row.id, fingerprint(row.password))
            self._send(mails.reset(email, self._url, token))

    async def reset(self, token: str, password: str, address: str) -> None:
        """Set a new password by the token of a link; ends all sessions.

        Raises:
            ProblemError: 422 for a link or password that cannot be used, 429.
        """
        await self._limit((guessing.LINKS, guessing.network_of(address)))
        check_password(password)
        account, bound_to = self._links.read("reset", token)
        stored = await self._passwords.hash(password)
        await self._database.call(_reset, account, bound_to, stored, address)

    async def close(self) -> None:
        """Wait until e-mails are sent."""
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._passwords.close()

    async def _limit(self, *subjects: tuple[GuessLimit, str]) -> None:
        problem = await self._database.call(_note_tries, subjects)
        if problem is not None:
            raise problem

    def _send(self, mail: Mail) -> None:
        """Send in the background, so that all answers take as long."""
        task = asyncio.create_task(self._deliver(mail))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _deliver(self, mail: Mail) -> None:
        try:
            await asyncio.to_thread(self._mailer.send, mail)
        except Exception:
            log.exception("an e-mail could not be sent")


def _note_tries(
    connection: Connection, subjects: tuple[tuple[GuessLimit, str], ...]
) -> ProblemError | None:
    for limit, subject in subjects:
        problem = guessing.note_try(connection, limit, subject)
        if problem is not None:
            return problem
    return None


def _bound(row: Row[Any]) -> str:
    """The text that a link for verification is bound to, which verifying changes."""
    return fingerprint(f"{row.password} {row.verified}")


def _by_email(connection: Connection, email: str) -> Row[Any] | None:
    return connection.execute(sa.select(accounts).where(accounts.c.email == email)).one_or_none()


def _by_id(connection: Connection, account: str) -> Row[Any]:
    return connection.execute(sa.select(accounts).where(accounts.c.id == account)).one()


def _register(
    connection: Connection, email: str, stored: str, address: str
) -> tuple[Row[Any], bool]:
    """The account, and whether it waits for verification by this password's owner."""
    row = {"id": new_id("acc"), "email": email, "password": stored, "created": now_us()}
    if insert_if_absent(connection, accounts, row):
        audit.note(connection, "account.created", str(row["id"]), address=address)
    found = connection.execute(
        sa.select(accounts).where(accounts.c.email == email).with_for_update()
    ).one()
    if found.verified is not None:
        return found, False
    # Nobody has proved that the address is theirs: the newest password counts.
    connection.execute(sa.update(accounts).where(accounts.c.id == found.id).values(password=stored))
    return connection.execute(sa.select(accounts).where(accounts.c.id == found.id)).one(), True


def _locked_row(connection: Connection, account: str) -> Row[Any]:
    row = connection.execute(
        sa.select(accounts).where(accounts.c.id == account).with_for_update()
    ).one_or_none()
    if row is None:
        raise used_link()
    return row


def _verify(connection: Connection, account: str, bound_to: str, address: str) -> None:
    row = _locked_row(connection, account)
    if row.verified is not None or not hmac.compare_digest(_bound(row), bound_to):
        raise used_link()
    connection.execute(
        sa.update(accounts).where(accounts.c.id == account).values(verified=now_us())
    )
    audit.note(connection, "account.verified", account, address=address)


def _open(
    connection: Connection, row: Row[Any], network: str, subject: str, address: str
) -> OpenedSession:
    now = _locked_row(connection, row.id)
    if now.password != row.password:
        raise ProblemError(401, "the password was just changed", "Sign in again", kind="sign-in")
    _forgive(connection, network, subject)
    audit.note(connection, "session.opened", row.id, address=address)
    return insert_session(connection, row.id)


def _forgive(connection: Connection, network: str, subject: str) -> None:
    """Forget failed attempts after a correct password."""
    guessing.forgive(connection, guessing.BY_EMAIL, subject)
    guessing.take_back(connection, guessing.BY_ADDRESS, network)


def _note_refused(connection: Connection, row: Row[Any] | None, address: str) -> None:
    audit.note(connection, "session.refused", None if row is None else row.id, address=address)


def _reset(connection: Connection, account: str, bound_to: str, stored: str, address: str) -> None:
    row = _locked_row(connection, account)
    if not hmac.compare_digest(fingerprint(row.password), bound_to):
        raise used_link()
    # The link came by e-mail, so the address is verified too.
    values = {"password": stored, "verified": row.verified or now_us()}
    connection.execute(sa.update(accounts).where(accounts.c.id == account).values(**values))
    end_sessions(connection, account)
    guessing.forgive(connection, guessing.BY_EMAIL, guessing.of_email(row.email))
    audit.note(connection, "password.changed", account, address=address)
