"""Errors of the HTTP interface as problem documents (RFC 9457), or as pages for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from .database import DatabaseGoneError
from .rate_limit import RateLimit

MEDIA_TYPE = "application/problem+json"
RETRY_S = 5
MAX_TEXT = 500
BUSY = (429, 503)
"""Statuses of requests that may be made again: they say when, and which limit is reached."""


class ProblemError(Exception):
    """A request that is answered with a problem document.

    Args:
        status: of HTTP.
        detail: what is wrong.
        remedy: what to do about it.
        kind: last part of the document's `type`; by default the title in lower case.
        errors: of single fields, each with `field` and `detail`.
        retry_s: seconds after which another try makes sense; BUSY ones have RETRY_S by default.
        limit: that is reached; a BUSY one without says that nothing is taken now.
        headers: more headers of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        remedy: str,
        *,
        kind: str = "",
        errors: Sequence[Mapping[str, str]] = (),
        retry_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        limit: RateLimit | None = None,
    ) -> None:
        self.status, self.detail, self.remedy = status, detail, remedy
        self.kind = kind or HTTPStatus(status).phrase.lower().replace(" ", "-")
        self.errors, self.headers = errors, dict(headers or {})
        if retry_s is None and status in BUSY:
            retry_s = RETRY_S
        if retry_s is not None:
            wait_s = max(1, math.ceil(retry_s))
            self.headers["retry-after"] = str(wait_s)
            if status in BUSY:
                self.headers.update((limit or RateLimit(self.kind, 0)).spent(wait_s))
        super().__init__(f"{detail}. {remedy}.")

    def document(self) -> dict[str, Any]:
        """The members of the problem document."""
        document: dict[str, Any] = {
            "type": f"/problems/{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail[:MAX_TEXT],
            "remedy": self.remedy,
        }
        if self.errors:
            document["errors"] = [dict(error) for error in self.errors]
        return document

    def response(self) -> Response:
        """The answer."""
        headers = {"cache-control": "no-store", **self.headers}
        return JSONResponse(self.document(), self.status, headers, MEDIA_TYPE)


def _documented(status: int) -> dict[str, Any]:
    text = {"type": "string"}
    properties: dict[str, Any] = dict.fromkeys(("type", "title", "detail", "remedy"), text)
    properties["status"] = {"type": "integer"}
    fields = {"type": "object", "properties": {"field": text, "detail": text}}
    properties["errors"] = {"type": "array", "items": fields}
    schema = {"type": "object", "properties": properties}
    schema["required"] = ["type", "title", "status", "detail", "remedy"]
    found = {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
    if status in BUSY:
        names = ("Retry-After", "RateLimit", "RateLimit-Policy")
        found["headers"] = {name: {"schema": text} for name in names}
    return found


STATUSES = (400, 401, 402, 403, 404, 405, 408, 409, 412, 413, 415, 416, 422, 423, 429)
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: _documented(status) for status in (*STATUSES, 500, 503, 507)
}
"""{status: its description} of the errors of all routes, for the OpenAPI document."""


def not_found(what: str) -> ProblemError:
    """The problem of something that does not exist, or is another account's."""
    return ProblemError(404, f"there is no such {what}", "Check its identifier")


ShowProblem = Callable[[Request, ProblemError], Response]


def handle_problems(app: FastAPI, show: ShowProblem) -> None:
    """Answer each error of the routes with a problem document.

    Args:
        show: makes a page of it, for a person who follows a link.
    """

    async def handle(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code < 400:
            return Response(status_code=error.status_code, headers=error.headers)
        problem = problem_of(error)
        return show(request, problem) if _is_for_a_person(request) else problem.response()

    kinds = (ProblemError, DatabaseGoneError, DataError, RequestValidationError)
    for kind in (*kinds, HTTPException, Exception):
        app.add_exception_handler(kind, handle)


def problem_of(error: Exception) -> ProblemError:
    """The problem that an error of a route is for its client."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, DatabaseGoneError):
        return ProblemError(503, "the database does not answer", "Try again")
    if isinstance(error, DataError):
        # PostgreSQL holds no text with a NUL, in whatever field it came.
        return ProblemError(422, "a value of the request cannot be stored", "Send plain text")
    if isinstance(error, RequestValidationError):
        return ProblemError(
            422,
            "the request is not valid",
            "Correct the fields in `errors`",
            errors=[_field_error(one) for one in error.errors()[:20]],
        )
    if isinstance(error, HTTPException):
        return ProblemError(
            error.status_code,
            HTTPStatus(error.status_code).description or str(error.detail),
            "See /v1/openapi.json",
            headers=error.headers,
        )
    # The server's log has the rest.
    return ProblemError(500, "the server has a fault", "Try again later")


def _is_for_a_person(request: Request) -> bool:
    """Whether a browser opens the address as a page of its own."""
    if request.headers.get("sec-fetch-dest") == "document":
        return True
    is_interface = request.url.path.startswith("/v1/")
    return not is_interface and "text/html" in request.headers.get("accept", "")


def _field_error(error: Mapping[str, Any]) -> dict[str, str]:
    # Not the value: it may be a secret.
    where = ".".join(str(part) for part in error.get("loc", ())[1:])
    return {"field": where[:100], "detail": str(error.get("msg", ""))[:MAX_TEXT]}
