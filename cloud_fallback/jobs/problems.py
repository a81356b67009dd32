"""Errors of the HTTP interface as problem documents (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from .database import DatabaseGoneError

MEDIA_TYPE = "application/problem+json"
RETRY_S = 5
MAX_TEXT = 500


class ProblemError(Exception):
    """A request that is answered with a problem document.

    Args:
        status: of HTTP.
        detail: what is wrong.
        remedy: what to do about it.
        kind: last part of the document's `type`; by default the title in lower case.
        errors: of single fields, each with `field` and `detail`.
        retry_s: seconds after which another try makes sense.
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
    ) -> None:
        self.status, self.detail, self.remedy = status, detail, remedy
        self.kind = kind or HTTPStatus(status).phrase.lower().replace(" ", "-")
        self.errors, self.headers = errors, dict(headers or {})
        if retry_s is not None:
            self.headers["retry-after"] = str(max(1, math.ceil(retry_s)))
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
    schema = {"type": "object", "required": ["type", "title", "status", "detail"]}
    return {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": schema}},
    }


STATUSES = (400, 401, 402, 403, 404, 405, 408, 409, 412, 413, 415, 416, 422, 423, 429)
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: _documented(status) for status in (*STATUSES, 500, 503, 507)
}
"""{status: its description} of the errors of all routes, for the OpenAPI document."""


def not_found(what: str) -> ProblemError:
    """The problem of something that does not exist, or is another account's."""
    return ProblemError(404, f"there is no such {what}", "Check its identifier")


def handle_problems(app: FastAPI) -> None:
    """Answer each error of the routes with a problem document."""

    async def problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return error.response()

    async def gone(_request: Request, _error: Exception) -> Response:
        return ProblemError(
            503, "the database does not answer", "Try again", retry_s=RETRY_S
        ).response()

    async def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return ProblemError(
            422,
            "the request is not valid",
            "Correct the fields in `errors`",
            errors=[_field_error(one) for one in error.errors()[:20]],
        ).response()

    async def other(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code < 400:
            return Response(status_code=error.status_code, headers=error.headers)
        return ProblemError(
            error.status_code,
            HTTPStatus(error.status_code).description or str(error.detail),
            "See /v1/openapi.json",
            headers=error.headers,
        ).response()

    app.add_exception_handler(ProblemError, problem)
    app.add_exception_handler(DatabaseGoneError, gone)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, other)


def _field_error(error: Mapping[str, Any]) -> dict[str, str]:
    # Not the value: it may be a secret.
    where = ".".join(str(part) for part in error.get("loc", ())[1:])
    return {"field": where[:100], "detail": str(error.get("msg", ""))[:MAX_TEXT]}
