"""Proxies whose word on the address of a client is taken; no other forwarded header is read."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from ...edge_runtime.errors import UsageError

HEADER = b"x-forwarded-for"


class TrustedProxies:
    """Named proxies.

    Args:
        addresses: of proxies, or networks of them such as 10.0.0.0/8.

    Raises:
        UsageError: one is neither.
    """

    def __init__(self, addresses: Sequence[str] = ()) -> None:
        try:
            self._networks = [ipaddress.ip_network(one, strict=False) for one in addresses]
        except ValueError as error:
            raise UsageError(
                f"{error}", "Give the address of the proxy, or its network, such as 10.0.0.0/8"
            ) from None

    def trusts(self, address: str) -> bool:
        """Whether this is the address of a named proxy."""
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def client(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """The client for which `peer` forwards a request; None where there is no such word.

        Each proxy appends the address that it saw, and a client may have begun the list with
        anything: it is the last address of the list that is of no named proxy.
        """
        if not self._networks or not self.trusts(peer):
            return None
        listed = b",".join(value for name, value in headers if name.lower() == HEADER)
        for text in reversed(listed.decode("latin-1").split(",")):
            address = _parsed(text.strip())
            if address is None:
                return None
            if not self.trusts(str(address)):
                return str(address)
        return None


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return mapped or parsed
