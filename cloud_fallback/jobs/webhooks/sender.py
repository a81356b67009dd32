"""Sends one message to a webhook: to an address that was checked, without redirects or proxies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ....edge_runtime.text import printable
from .addresses import AddressRules, RefusedAddressError, Resolve, resolve_by_system

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0
MAX_ANSWER = 64 << 10
MAX_KEPT = 500
GONE = 410


@dataclass(frozen=True)
class Outcome:
    """The result of one attempt.

    Args:
        status: of the answer; None without one.
        answer: its beginning, or what went wrong.
    """

    status: int | None
    answer: str

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Sender:
    """Sends messages.

    Args:
        rules: where to.
        resolve: names to addresses.
        tls: the certificates that are trusted.
    """

    rules: AddressRules
    resolve: Resolve = resolve_by_system
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send a message once; never raises for what the receiver does."""
        import httpx

        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._post(url, body, headers)
        except RefusedAddressError as error:
            return Outcome(None, f"refused: {error}")
        except TimeoutError:
            return Outcome(None, f"no answer within {TIMEOUT_S:g} seconds")
        except (OSError, httpx.HTTPError) as error:
            return Outcome(None, printable(str(error) or type(error).__name__, MAX_KEPT))

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        import httpx

        target = self.rules.target(url)
        address = await self.rules.resolve(target, self.resolve)
        host = f"[{address}]" if ":" in address else address
        sent = {
            **headers,
            "host": target.authority,
            "content-type": "application/json",
            "user-agent": "tallylens-webhooks",
        }
        async with (
            httpx.AsyncClient(
                verify=self.tls, trust_env=False, follow_redirects=False, timeout=TIMEOUT_S
            ) as client,
            client.stream(
                "POST",
                f"https://{host}:{target.port}{target.path}",
                content=body,
                headers=sent,
                # The certificate must be the name's, not the address's.
                extensions={"sni_hostname": target.host},
            ) as response,
        ):
            answer = await _beginning(response)
            return Outcome(response.status_code, answer)


async def _beginning(response: httpx.Response) -> str:
    """The first characters of an answer; as received, since unpacking may make much of little."""
    taken = b""
    async for block in response.aiter_raw():
        taken += block
        if len(taken) >= MAX_ANSWER:
            break
    return printable(taken[: 4 * MAX_KEPT].decode(errors="replace"), MAX_KEPT)[:MAX_KEPT]
