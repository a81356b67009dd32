"""Forms of pages: a route that answers with pages, and small bodies read within bounds."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from ..accounts import Account
from ..problems import ProblemError
from ..sign_in.sessions import check_site
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
            except ProblemError as problem:
                if problem.status == 401:
                    return RedirectResponse("/sign-in", 303)
                return problem_page(problem)
            except RequestValidationError:
                return problem_page(ProblemError(422, "the address is not valid", "Go back"))

        return handler


def problem_page(problem: ProblemError) -> Response:
    """A page that says what is wrong and what to do."""
    answer = page("problem.html", shown("", None, problem=problem.document()), problem.status)
    answer.headers.update(problem.headers)
    return answer


def shown(here: str, account: Account | None, **values: Any) -> dict[str, Any]:
    """The values that every page shows, and `values`; `here` is the path of the page."""
    csrf = "" if account is None else account.csrf
    return {"here": here, "account": account, "csrf": csrf, **values}


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
