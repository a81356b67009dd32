"""`/v1/accounts`, `/v1/sessions`, `/v1/passwords`: registering, signing in, a new password."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ..callers.dependencies import AccountOf, AddressOf, VideosOf
from ..callers.session import check_site
from ..clock import rfc3339
from ..problems import ProblemError
from ..sign_in.sessions import COOKIE, ended_cookie

router = APIRouter(tags=["accounts"])
Email = Annotated[str, Field(max_length=254)]
Password = Annotated[str, Field(max_length=1000)]
Token = Annotated[str, Field(max_length=1000)]
CaptchaToken = Annotated[str, Field(max_length=4096)]
SENT = {"detail": "an e-mail is on its way"}


class Body(BaseModel):
    """A JSON object without unknown members."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Registering(Body):
    """A new account."""

    email: Email
    password: Password
    captcha: CaptchaToken = ""


class Verifying(Body):
    """The token of a link."""

    token: Token


class SigningIn(Body):
    """E-mail address and password."""

    email: Email
    password: Password


class Forgetting(Body):
    """The account with a forgotten password."""

    email: Email
    captcha: CaptchaToken = ""


class Resetting(Body):
    """A new password, with the token of a link."""

    token: Token
    password: Password


@router.post("/v1/accounts", status_code=202)
async def register(service: VideosOf, address: AddressOf, body: Registering) -> dict[str, str]:
    """Register; the answer is the same for an address that has an account."""
    await service.settings.accounts.captcha.check(body.captcha, address)
    await service.registration.register(body.email, body.password, address)
    return SENT


@router.post("/v1/accounts/verify", status_code=204)
async def verify(service: VideosOf, address: AddressOf, body: Verifying) -> Response:
    """Verify the e-mail address of an account, with the token of the link."""
    await service.registration.verify(body.token, address)
    return Response(status_code=204)


@router.post("/v1/sessions", status_code=201)
async def sign_in(
    request: Request, response: Response, service: VideosOf, address: AddressOf, body: SigningIn
) -> dict[str, Any]:
    """Sign in: a cookie, and the token that requests which change something carry."""
    check_site(request, required=False)
    opened = await service.registration.sign_in(body.email, body.password, address)
    response.headers["set-cookie"] = opened.cookie()
    response.headers["cache-control"] = "no-store"
    return {"csrf": opened.csrf, "expires": rfc3339(opened.expires)}


@router.delete("/v1/sessions/current", status_code=204)
async def sign_out(request: Request, service: VideosOf, account: AccountOf) -> Response:
    """Sign out."""
    if not account.by_session:
        raise ProblemError(409, "a key has no session", "Delete the key instead")
    await service.registration.sign_out(request.cookies[COOKIE])
    return Response(status_code=204, headers={"set-cookie": ended_cookie()})


@router.post("/v1/passwords", status_code=202)
async def forget(service: VideosOf, address: AddressOf, body: Forgetting) -> dict[str, str]:
    """Ask for a link to set a new password; the answer is the same without an account."""
    await service.settings.accounts.captcha.check(body.captcha, address)
    await service.registration.request_reset(body.email, address)
    return SENT


@router.post("/v1/passwords/reset", status_code=204)
async def reset(service: VideosOf, address: AddressOf, body: Resetting) -> Response:
    """Set a new password, with the token of the link; all sessions end."""
    await service.registration.reset(body.token, body.password, address)
    return Response(status_code=204)
