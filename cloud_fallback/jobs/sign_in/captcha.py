"""Captchas: the server asks the provider whether a person solved one; off unless configured."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..problems import ProblemError

log = logging.getLogger("tallylens.jobs")
PROVIDERS = {
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
    "hcaptcha": "https://api.hcaptcha.com/siteverify",
}
"""{provider: its address}"""
TIMEOUT_S = 5.0
MAX_TOKEN = 4096
MAX_ANSWER = 64 << 10


class Captcha(Protocol):
    """Decides whether a person, rather than a program, sent a form."""

    async def check(self, token: str, address: str) -> None:
        """Raise ProblemError (403) unless the token of the form is valid."""
        ...


class NoCaptcha:
    """Lets everybody pass; the default."""

    async def check(self, token: str, address: str) -> None:
        """Nothing is checked."""


@dataclass(frozen=True)
class ProviderCaptcha:
    """A captcha of Turnstile or hCaptcha; without a clear answer nobody passes.

    Args:
        url: where tokens are checked, see PROVIDERS.
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
