"""Forms of pages: a route that answers with pages, and small bodies read within bounds."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from ..problems import ProblemError
from .render import page

MAX_BODY = 64 << 10
MAX_FIELDS = 100
URL_ENCODED = "application/x-www-form-urlencoded"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route whose errors are pages; whoever is not signed in is sent to the page for that."""

    def get_route_handler(self) -> Handler:
        """The handler, with its errors as pages."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                if request.method == "POST":
                    check_same_site(request)
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
    context = {"problem": problem.document(), "account": None, "here": ""}
    answer = page("problem.html", context, problem.status)
    answer.headers.update(problem.headers)
    return answer


def check_same_site(request: Request) -> None:
    """Raise ProblemError (403) for a form that a page of another site sent.

    Browsers say where a form is from; what says nothing is no browser, and carries no cookie that
    somebody else could make use of.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        same = site in ("same-origin", "none")
    else:
        same = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not same:
        raise ProblemError(403, "the form is of another site", "Open the page of this server")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form without a file; of several with one name, the last one.

    Raises:
        ProblemError: 413 for a long body; 400, 411 and 415 for what is no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != URL_ENCODED:
        raise ProblemError(415, "the body is no form", f"Send it as {URL_ENCODED}")
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
