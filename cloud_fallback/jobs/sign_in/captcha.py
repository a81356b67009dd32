"""Captchas: the server asks the provider whether a person solved one; off unless configured."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..problems import ProblemError

log = logging.getLogger("tallylens.jobs")
TIMEOUT_S = 5.0
MAX_TOKEN = 4096
MAX_ANSWER = 64 << 10


@dataclass(frozen=True)
class Provider:
    """A provider of captchas.

    Args:
        check: address where the server checks tokens.
        script: of the widget, which fills the elements of the class `element`.
        field: of the form, in which the widget puts its token.
        sources: from where the script and its frames come.
        styles: from where its style sheets come and its requests go to; none for Turnstile.
    """

    check: str
    script: str
    element: str
    field: str
    sources: str
    styles: str = ""


_HCAPTCHA = "https://hcaptcha.com https://*.hcaptcha.com"
PROVIDERS = {
    "turnstile": Provider(
        "https://challenges.cloudflare.com/turnstile/v0/siteverify",
        "https://challenges.cloudflare.com/turnstile/v0/api.js",
        "cf-turnstile",
        "cf-turnstile-response",
        "https://challenges.cloudflare.com",
    ),
    "hcaptcha": Provider(
        "https://api.hcaptcha.com/siteverify",
        "https://js.hcaptcha.com/1/api.js",
        "h-captcha",
        "h-captcha-response",
        _HCAPTCHA,
        _HCAPTCHA,
    ),
}
"""{name: provider}"""


@dataclass(frozen=True)
class Widget:
    """The captcha that a form shows.

    Args:
        provider: that makes it.
        site_key: of the site, which is public.
    """

    provider: Provider
    site_key: str


class Captcha(Protocol):
    """Decides whether a person, rather than a program, sent a form."""

    async def check(self, token: str, address: str) -> None:
        """Raise ProblemError (403) unless the token of the form is valid."""
        ...


class NoCaptcha:
    """Accepts every request; the default."""

    async def check(self, token: str, address: str) -> None:
        """Nothing is checked."""


@dataclass(frozen=True)
class ProviderCaptcha:
    """A captcha of Turnstile or hCaptcha; without a clear answer the request is refused.

    Args:
        url: where tokens are checked, the `check` of a provider.
        secret: of the site.
    """

    url: str
    secret: str = field(repr=False)

    async def check(self, token: str, address: str) -> None:
        """Ask the provider; raises ProblemError (403, or 503 without an answer)."""
        if not token or len(token) > MAX_TOKEN:
            raise _refused()
        form = {"secret": self.secret, "response": token, "remoteip": address}
        try:
            answer = await self._ask(form)
        except Exception as error:
            log.warning("the captcha's provider does not answer", extra={"problem": repr(error)})
            raise ProblemError(
                503, "the captcha cannot be checked now", "Try again", retry_s=30
            ) from error
        if not isinstance(answer, dict) or answer.get("success") is not True:
            raise _refused()

    async def _ask(self, form: dict[str, str]) -> Any:
        import asyncio
        import json

        import httpx

        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx.AsyncClient(timeout=TIMEOUT_S) as client,
            client.stream("POST", self.url, data=form) as response,
        ):
            response.raise_for_status()
            body = b""
            async for block in response.aiter_bytes():
                body += block
                if len(body) > MAX_ANSWER:
                    raise ValueError("the answer is too long")
        return json.loads(body)


def _refused() -> ProblemError:
    return ProblemError(403, "the captcha is not solved", "Solve it", kind="captcha")
