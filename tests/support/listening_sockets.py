"""Listening sockets of a process and its children, from Linux's /proc."""

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass
from pathlib import Path

_LISTEN = "0A"


@dataclass(frozen=True)
class Listening:
    """A listening TCP socket, or a bound UDP one (`kind` "udp")."""

    process: int
    address: str
    port: int
    kind: str = "tcp"

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(self.address).is_loopback


def children_of(process: int) -> list[int]:
    """The process and all its descendants, also those of parents that have ended."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (folder / "stat").read_text()
            parents[int(folder.name)] = int(text.rpartition(")")[2].split()[1])
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def listening(process: int) -> set[Listening]:
    """Of the process and its descendants."""
    inodes = _inodes()
    found = set()
    for one in children_of(process):
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{one}/fd").iterdir():
                with contextlib.suppress(OSError):
                    target = str(descriptor.readlink())
                    if target in inodes:
                        found.add(Listening(one, *inodes[target]))
    return found


def _inodes() -> dict[str, tuple[str, int, str]]:
    """Address, port and kind by what the links of descriptors say."""
    found = {}
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            kind = name.rstrip("6")
            if kind == "tcp" and fields[3] != _LISTEN:
                continue
            host, port = fields[1].split(":")
            found[f"socket:[{fields[9]}]"] = (_address(host), int(port, 16), kind)
    return found


def _address(text: str) -> str:
    """From groups of four bytes, each in the order of the machine."""
    groups = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(groups))
    if address.version == 6 and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
