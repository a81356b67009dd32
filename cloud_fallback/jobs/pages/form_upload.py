"""The upload of a browser without JavaScript: one form of several parts, the file as the last.

The file goes straight to where uploads are. Its length is known only at its end; until then the
length of the request's body, which is larger, stands for it, so that what is too large or finds no
space is refused before a byte of it is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.message import Message
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Request
from sqlalchemy import Connection

from ....edge_runtime.errors import UsageError
from ...server.http_protocols import SOCKET
from ..accounts import Account
from ..announcement import Announced, clean_name
from ..callers.dependencies import VideosOf, account_of
from ..callers.key_cookie import key_account_of
from ..callers.session import FIELD, check_csrf, session_of
from ..identifiers import with_prefix
from ..job_options import JobOptions
from ..problems import ProblemError
from ..tables import uploads
from ..uploads import IDLE_S

MAX_FIELDS_BYTES = 64 << 10
MAX_PARTS = 20
# The most that a form holds beside the file.
SLACK = MAX_FIELDS_BYTES + (16 << 10)
"""Bytes of a body beyond those of the largest file."""


class FormParts:
    """The parts of one body, as they arrive: fields first, then the bytes of the file.

    Attributes:
        fields: those before the file.
        filename: of the file; None until it begins.
        ended: whether the end of the form was seen.
    """

    def __init__(self, boundary: bytes) -> None:
        from python_multipart import MultipartParser

        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.ended = False
        self.bytes = bytearray()
        self._text, self._size, self._parts = bytearray(), 0, 0
        self._header, self._value = bytearray(), bytearray()
        self._headers: dict[str, str] = {}
        self._name = ""
        self._is_file = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_header,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take,
                "on_part_end": self._end,
                "on_end": self._end_form,
            },
        )

    def write(self, block: bytes) -> None:
        """Take a block of the body; raises ProblemError (400, 413) if it is not such a form."""
        from python_multipart.exceptions import MultipartParseError

        try:
            self._parser.write(block)
        except (MultipartParseError, UnicodeError, ValueError) as error:
            raise ProblemError(400, "the form cannot be read", "Send it again") from error

    def _count(self, number: int) -> None:
        self._size += number
        if self._size > MAX_FIELDS_BYTES:
            raise ProblemError(413, "the fields of the form are too long", "Send less")

    def _begin(self) -> None:
        self._parts += 1
        if self.filename is not None or self._parts > MAX_PARTS:
            raise ProblemError(400, "the file is not the last part", "Send one file, as the last")
        self._headers, self._text, self._is_file = {}, bytearray(), False

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.decode().lower()] = self._value.decode()
        self._header, self._value = bytearray(), bytearray()

    def _end_headers(self) -> None:
        message = Message()
        message["content-disposition"] = self._headers.get("content-disposition", "")
        name = message.get_param("name", header="content-disposition")
        filename = message.get_filename()
        if not isinstance(name, str):
            raise ProblemError(400, "a part of the form has no name", "Send it again")
        self._name, self._is_file = name, filename is not None
        if filename is not None:
            self.filename = filename

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.bytes += data[start:end]
        else:
            self._count(end - start)
            self._text += data[start:end]

    def _end(self) -> None:
        if not self._is_file:
            self.fields[self._name] = self._text.decode()

    def _end_form(self) -> None:
        self.ended = True


async def uploader_of(request: Request) -> Account:
    """The account of an upload; the token of its session is a field, read with the file."""
    return await session_of(request) or await key_account_of(request) or await account_of(request)


UploaderOf = Annotated[Account, Depends(uploader_of)]


async def take_form(request: Request, service: VideosOf, account: Account) -> str:
    """Take a form with a video; returns the id of the video, whose job is in the queue.

    Raises:
        ProblemError: as for an upload of tus, and 400, 411 and 415 if the body is not such a form.
    """
    length = _body_length(request, account)
    blocks = request.stream()
    parts = FormParts(_boundary(request))
    _allow_time(request)
    await _read_until_file(parts, blocks)
    if account.by_session:
        check_csrf(account, parts.fields.get(FIELD, ""))
    given = Announced(length, clean_name(parts.filename or ""), options_of(parts.fields))
    upload, _ = await service.uploads.create(account, given)
    try:
        number = await service.uploads.append(account, upload, 0, _file_bytes(parts, blocks))
        if not parts.ended or number == 0:
            detail = "the file is empty" if parts.ended else "the form is not complete"
            raise ProblemError(400, detail, "Choose a video and send it again")
        if number > account.plan.video.bytes:
            raise _too_large(account)
    except BaseException:
        await service.uploads.delete(account, upload)
        raise
    await service.uploads.complete(await service.database.call(_set_length, upload, number))
    return with_prefix("vid", upload)


def options_of(fields: dict[str, str]) -> JobOptions:
    """The options of a job, of a form's fields; raises ProblemError (422) for invalid ones."""
    document: dict[str, Any] = {
        "lines": _lines(fields.get("lines", "")),
        "zones": _lines(fields.get("zones", "")),
        "ignore": _lines(fields.get("ignore", "")),
        "min_size": _number(fields.get("min_size", "").strip()),
        "max_size": _number(fields.get("max_size", "").strip()),
        "classes": [one.strip() for one in fields.get("classes", "").split(",") if one.strip()]
        or None,
        "any_class": fields.get("any_class", "") != "",
        "annotated": fields.get("annotated", "") != "",
    }
    try:
        return JobOptions.of(document)
    except UsageError as error:
        raise ProblemError(422, error.problem, error.remedy, kind="options") from error


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _number(text: str) -> float | str | None:
    """The number of a field; None for an empty one. Other text stays, to be refused by name."""
    try:
        return float(text[:40]) if text else None
    except ValueError:
        return text


def _body_length(request: Request, account: Account) -> int:
    """Bytes of the body; raises ProblemError for one that is longer than any allowed file."""
    text = request.headers.get("content-length", "")
    if not text.isascii() or not text.isdigit():
        raise ProblemError(411, "the form does not say its length", "Send Content-Length")
    if int(text[:20]) > account.plan.video.bytes + SLACK:
        raise _too_large(account)
    return int(text)


def _too_large(account: Account) -> ProblemError:
    most = account.plan.video.bytes
    return ProblemError(413, f"the file is larger than {most} bytes", "Send a shorter video")


def _boundary(request: Request) -> bytes:
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise ProblemError(415, "the body is not a form with a file", "Send multipart/form-data")
    if not 0 < len(boundary) <= 70 or not boundary.isascii():
        raise ProblemError(400, "the boundary is not valid", "Send multipart/form-data")
    return boundary.encode()


async def _read_until_file(parts: FormParts, blocks: AsyncIterator[bytes]) -> None:
    while parts.filename is None:
        if parts.ended:
            raise ProblemError(400, "the form has no file", "Choose a file")
        try:
            block = await asyncio.wait_for(anext(blocks), IDLE_S)
        except StopAsyncIteration:
            raise ProblemError(400, "the form has no file", "Choose a file") from None
        except TimeoutError:
            raise ProblemError(408, "the form does not arrive", "Send it again") from None
        parts.write(block)


async def _file_bytes(parts: FormParts, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The bytes of the file, from those that came with the fields on."""
    while True:
        if parts.bytes:
            ready = bytes(parts.bytes)
            parts.bytes.clear()
            yield ready
        block = await anext(blocks, None)
        if block is None:
            break
        parts.write(block)


def _set_length(connection: Connection, upload: str, length: int) -> sa.Row[Any]:
    connection.execute(sa.update(uploads).where(uploads.c.id == upload).values(length=length))
    return connection.execute(sa.select(uploads).where(uploads.c.id == upload)).one()


def _allow_time(request: Request) -> None:
    entry: Any = request.scope.get("extensions", {}).get(SOCKET)
    if entry is not None:
        entry.expect_body(2 * IDLE_S)
