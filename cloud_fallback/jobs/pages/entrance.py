"""The pages before an account: signing in and out, registering, links of e-mails, passwords."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from ..callers.dependencies import AddressOf, VideosOf
from ..callers.key_cookie import account_of_key, key_account_of, key_cookie
from ..callers.session import session_of
from ..problems import ProblemError
from ..sign_in.captcha import Widget
from ..sign_in.sessions import COOKIE, ended_cookie
from .forms import PageRoute, form_of, shown
from .render import page

router = APIRouter(include_in_schema=False, route_class=PageRoute)
Token = Annotated[str, Query(max_length=1000)]
SENT = (
    "If the address can be used, an e-mail with a link is on its way. The link is good for an hour."
)


@router.get("/sign-in")
async def sign_in_page(request: Request) -> Response:
    """The sign-in forms; a signed-in user is redirected to the upload page."""
    if await session_of(request) or await key_account_of(request):
        return RedirectResponse("/", 303)
    return _form("sign-in")


@router.post("/sign-in")
async def sign_in(request: Request, service: VideosOf, address: AddressOf) -> Response:
    """Sign in by e-mail address and password, or by a key."""
    fields = await form_of(request)
    try:
        cookie = await _cookie_of(request, service, fields, address)
    except ProblemError as problem:
        return _form("sign-in", fields, problem)
    return RedirectResponse("/", 303, {"set-cookie": cookie})


async def _cookie_of(
    request: Request, service: VideosOf, fields: dict[str, str], address: str
) -> str:
    key = fields.get("key", "").strip()
    if key:
        if await account_of_key(request, key) is None:
            raise ProblemError(401, "this key is not valid", "Check it", kind="sign-in")
        return key_cookie(key)
    opened = await service.registration.sign_in(
        fields.get("email", ""), fields.get("password", ""), address
    )
    return opened.cookie()


@router.post("/sign-out")
async def sign_out(request: Request, service: VideosOf) -> Response:
    """Sign out; without a session too."""
    await form_of(request)
    token = request.cookies.get(COOKIE, "")
    if token:
        await service.registration.sign_out(token)
    answer = RedirectResponse("/sign-in", 303)
    answer.headers.append("set-cookie", ended_cookie())
    answer.headers.append("set-cookie", key_cookie(""))
    return answer


@router.get("/register")
async def register_page(service: VideosOf) -> Response:
    """The form of a new account."""
    return _form("register", widget=service.settings.accounts.widget)


@router.post("/register")
async def register(request: Request, service: VideosOf, address: AddressOf) -> Response:
    """Register, and send the link that verifies the address."""
    fields = await form_of(request)
    try:
        await _check_captcha(service, fields, address)
        await service.registration.register(
            fields.get("email", ""), fields.get("password", ""), address
        )
    except ProblemError as problem:
        return _form("register", fields, problem, service.settings.accounts.widget)
    return _told("Check your e-mail", SENT)


async def _check_captcha(service: VideosOf, fields: dict[str, str], address: str) -> None:
    """Raise ProblemError (403, 503) unless the captcha of a form is solved."""
    accounts = service.settings.accounts
    token = "" if accounts.widget is None else fields.get(accounts.widget.provider.field, "")
    await accounts.captcha.check(token, address)


@router.get("/verify")
async def verify_page(token: Token = "") -> Response:
    """A button: programs that look at links in e-mails press none."""
    return page("verify.html", shown("/verify", None, token=token))


@router.post("/verify")
async def verify(request: Request, service: VideosOf, address: AddressOf) -> Response:
    """Verify the address of an account."""
    fields = await form_of(request)
    await service.registration.verify(fields.get("token", ""), address)
    return _told("The address is verified", "You can sign in now.")


@router.get("/forgot")
async def forgot_page(service: VideosOf) -> Response:
    """The form that asks for a link."""
    return _form("forgot", widget=service.settings.accounts.widget)


@router.post("/forgot")
async def forgot(request: Request, service: VideosOf, address: AddressOf) -> Response:
    """Send a link for a new password, if there is such an account."""
    fields = await form_of(request)
    try:
        await _check_captcha(service, fields, address)
        await service.registration.request_reset(fields.get("email", ""), address)
    except ProblemError as problem:
        return _form("forgot", fields, problem, service.settings.accounts.widget)
    return _told("Check your e-mail", SENT)


@router.get("/reset")
async def reset_page(token: Token = "") -> Response:
    """The form of a new password."""
    return _form("reset", {"token": token})


@router.post("/reset")
async def reset(request: Request, service: VideosOf, address: AddressOf) -> Response:
    """Set a new password."""
    fields = await form_of(request)
    try:
        await service.registration.reset(
            fields.get("token", ""), fields.get("password", ""), address
        )
    except ProblemError as problem:
        return _form("reset", fields, problem)
    return _told("The password is set", "All sessions have ended. Sign in with the new one.")


def _form(
    name: str,
    fields: Mapping[str, str] | None = None,
    problem: ProblemError | None = None,
    widget: Widget | None = None,
) -> Response:
    """The page of a form; again, with what was typed but the password, if there is a problem."""
    given = fields or {}
    context = shown(
        f"/{name}",
        None,
        problem=None if problem is None else problem.document(),
        email=given.get("email", ""),
        token=given.get("token", ""),
        widget=widget,
    )
    status = 200 if problem is None else problem.status
    provider = None if widget is None else widget.provider
    answer = page(f"{name.replace('-', '_')}.html", context, status, provider)
    if problem is not None:
        # A page has another way to sign in than programs.
        told = {one: text for one, text in problem.headers.items() if one != "www-authenticate"}
        answer.headers.update(told)
    return answer


def _told(title: str, text: str) -> Response:
    return page("told.html", shown("", None, heading=title, text=text))
