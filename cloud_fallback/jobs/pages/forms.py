"""Forms of pages: a route that answers with pages, and small bodies read within bounds."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from ..accounts import Account
from ..callers.key_cookie import COOKIE as KEY
from ..callers.session import check_site
from ..database import DatabaseGoneError
from ..idempotency import is_first
from ..problems import ProblemError, problem_of
from ..sign_in.sessions import COOKIE as SESSION
from .render import page

MAX_BODY = 64 << 10
MAX_FIELDS = 100
URL_ENCODED = "application/x-www-form-urlencoded"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route whose errors are pages; a client that is not signed in is sent to that page."""

    def get_route_handler(self) -> Handler:
        """The handler, with its errors as pages."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                if request.method == "POST":
                    check_site(request, required=False)
                return await handle(request)
            except (ProblemError, DatabaseGoneError, DataError) as error:
                return problem_page(request, problem_of(error))
            except RequestValidationError:
                invalid = ProblemError(422, "the address is not valid", "Go back")
                return problem_page(request, invalid)

        return handler


def problem_page(request: Request, problem: ProblemError) -> Response:
    """A page that says what is wrong and what to do; without a session, the way to sign in."""
    if problem.status == 401:
        return RedirectResponse("/sign-in", 303)
    # By what the browser sent: the account may be what cannot be found out now.
    signed_in = bool({SESSION, KEY} & set(request.cookies)) or "authorization" in request.headers
    context = shown("", None, problem=problem.document(), signed_in=signed_in)
    answer = page("problem.html", context, problem.status)
    answer.headers.update(problem.headers)
    return answer


def shown(here: str, account: Account | None, **values: Any) -> dict[str, Any]:
    """The values that every page shows, and `values`; `here` is the path of the page."""
    csrf, signed_in = "" if account is None else account.csrf, account is not None
    return {"here": here, "account": account, "signed_in": signed_in, "csrf": csrf, **values}


ONCE = "once"
"""The field of a form that works once; its page has another one each time that it is shown."""


def once() -> str:
    """A new value of ONCE."""
    return secrets.token_urlsafe(16)


def check_once(connection: Connection, account: str, fields: Mapping[str, str]) -> None:
    """Raise ProblemError (409) for a form that was sent before, such as by reloading its answer."""
    given = fields.get(ONCE, "")[:100]
    if given and not is_first(connection, account, f"form {given}"):
        raise ProblemError(409, "this form was sent already", "Open its page again")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form without a file; of several with one name, the last one.

    Raises:
        ProblemError: 413 for a long body; 400, 411 and 415 for a body that is not a form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != URL_ENCODED:
        raise ProblemError(415, "the body is not a form", f"Send it as {URL_ENCODED}")
    length = request.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit():
        raise ProblemError(411, "the form does not say its length", "Send Content-Length")
    if int(length[:20]) > MAX_BODY:
        raise ProblemError(413, "the form is too long", "Send less")
    try:
        # Kept by the request: what looks for the token of the session reads it too.
        form = await request.form(max_fields=MAX_FIELDS)
    except HTTPException as error:
        raise ProblemError(400, "the form cannot be read", "Send it again") from error
    return {name: value for name, value in form.items() if isinstance(value, str)}
