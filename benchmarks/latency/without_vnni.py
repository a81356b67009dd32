"""Hides the VNNI instructions of an x86-64 processor from LiteRT, which then takes other kernels.

XNNPACK has no setting for it, so the CPUID instructions of its library are replaced (mask_cpuid.c).
Needs Linux, gcc and objdump; call it before the first interpreter is made.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from pathlib import Path

LIBRARY = "libpywrap_litert_common.so"
SOURCE = Path(__file__).parent / "mask_cpuid.c"


def hide_vnni() -> int:
    """The number of instructions that were replaced.

    Raises:
        RuntimeError: LiteRT is not loaded from such a library, or nothing could be replaced.
    """
    import ai_edge_litert.interpreter  # noqa: F401  (loads the library)

    path, base = _loaded()
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", path], check=True, capture_output=True, text=True
    ).stdout
    offsets = [int(found, 16) for found in re.findall(r"^\s*([0-9a-f]+):\tcpuid", listing, re.M)]
    addresses = (ctypes.c_size_t * len(offsets))(*(base + offset for offset in offsets))
    replaced = int(_mask().hide_vnni(addresses, len(offsets)))
    if replaced <= 0:
        raise RuntimeError(f"no CPUID instruction of {path} could be replaced")
    return replaced


def _loaded() -> tuple[Path, int]:
    """The library's file and the address that it is loaded at."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(LIBRARY):
            addresses, _, offset, _, _, path = line.split(maxsplit=5)
            return Path(path), int(addresses.split("-")[0], 16) - int(offset, 16)
    raise RuntimeError(f"{LIBRARY} is not loaded")


def _mask() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "mask.so"
        command = ["gcc", "-O1", "-shared", "-fPIC", str(SOURCE), "-o", str(built)]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(built))
