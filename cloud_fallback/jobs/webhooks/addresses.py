"""Where a webhook may go: to public addresses, never to those of the server's own networks.

A name is resolved once, every address that it has must be allowed, and the connection goes to such
an address: a name that changes afterwards changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host name and a port to its addresses; raises OSError."""

MAX_URL = 2000
HTTPS_PORT = 443
URL = re.compile(
    r"https://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[\x21\x24-\x5b\x5d-\x7e]*)?"
)
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class RefusedAddressError(Exception):
    """A URL to which no webhook goes."""


@dataclass(frozen=True)
class Target:
    """A URL in its parts, as the connection uses them.

    Args:
        host: name or address, without brackets.
        path: with the query.
    """

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == HTTPS_PORT else f"{host}:{self.port}"


@dataclass(frozen=True)
class AddressRules:
    """The addresses that are allowed.

    Args:
        networks: that the operator allows beside the public ones.
        any_port: allow other ports than 443.
    """

    networks: tuple[Network, ...] = ()
    any_port: bool = False

    def target(self, url: str) -> Target:
        """The parts of a URL.

        Raises:
            RefusedAddressError: not https, another port, or an address that is not allowed.
        """
        found = URL.fullmatch(url) if len(url) <= MAX_URL else None
        if found is None:
            raise RefusedAddressError("the URL is not https://HOST/PATH")
        port = int(found["port"] or HTTPS_PORT)
        if not 0 < port < 65536 or (port != HTTPS_PORT and not self.any_port):
            raise RefusedAddressError(f"the port {port} is not allowed; use {HTTPS_PORT}")
        target = Target(found["host"].strip("[]").lower(), port, found["path"] or "/")
        try:
            literal = ipaddress.ip_address(target.host)
        except ValueError:
            if ":" in target.host:
                raise RefusedAddressError("the URL is not https://HOST/PATH") from None
            return target
        self.check(literal)
        return target

    async def resolve(self, target: Target, resolve: Resolve) -> str:
        """The address to connect to.

        Raises:
            RefusedAddressError: one of the addresses is not allowed, or there is none.
            OSError: the name cannot be resolved.
        """
        addresses = await resolve(target.host, target.port)
        for text in addresses:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                raise RefusedAddressError(f"{text[:60]} is not an address") from None
            self.check(address)
        if not addresses:
            raise RefusedAddressError("the name has no address")
        return addresses[0]

    def check(self, address: Address) -> None:
        """Raise RefusedAddressError for an address that is not allowed."""
        if any(address in network for network in self.networks):
            return
        if not all(_is_public(one) for one in reached_by(address)):
            raise RefusedAddressError(f"the address {address} is not public")


def reached_by(address: Address) -> list[Address]:
    """The addresses that a connection to this one may reach: those inside, or itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in NAT64 or int(address) >> 32 == 0:
        return [ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    return [address]


def _is_public(address: Address) -> bool:
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    special = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not special and not site_local


async def resolve_by_system(host: str, port: int) -> list[str]:
    """The addresses of a name by the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))
