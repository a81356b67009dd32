"""The fields `RateLimit-Policy` and `RateLimit` of answers: a limit, and what is left of it.

See draft-ietf-httpapi-ratelimit-headers (structured fields: a name with parameters).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RateLimit:
    """A limit of requests.

    Args:
        name: of the policy.
        quota: number of requests, or of things at a time.
        window_s: seconds in which there may be that many; None for things at a time.
    """

    name: str
    quota: int
    window_s: int | None = None

    def spent(self, wait_s: int) -> dict[str, str]:
        """The fields of a refused request, of which another may be made after `wait_s` seconds."""
        unit = ';qu="concurrent-requests"' if self.window_s is None else f";w={self.window_s}"
        return {
            "ratelimit-policy": f'"{self.name}";q={self.quota}{unit}',
            "ratelimit": f'"{self.name}";r=0;t={wait_s}',
        }
