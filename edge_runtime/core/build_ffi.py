"""Builds the native core with cffi; the C headers are the only description of the interface."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cffi import FFI

# Paths are relative to the project root, where setuptools runs; absolute ones would end up in the
# build's records.
CORE = Path("edge_runtime/core")
MSVC = sys.platform == "win32"


def interface() -> str:
    """The text of the headers that tally.h includes, in its order."""
    include = CORE / "include"
    whole = (include / "tally.h").read_text(encoding="utf-8")
    names = re.findall(r'^#include "(.+)"$', whole, re.MULTILINE)
    return "".join((include / name).read_text(encoding="utf-8") for name in names)


def declarations(header: str) -> str:
    """The header without what only a preprocessor understands.

    >>> declarations('#ifdef X\\n#endif\\nTALLY_API int f(void);\\nextern "C" {\\n}\\n').strip()
    'int f(void);'
    """
    plain = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    plain = re.sub(r'^#.*$|^extern "C" \{$|^\}$', "", plain, flags=re.MULTILINE)
    return plain.replace("TALLY_API ", "")


ffibuilder = FFI()
ffibuilder.cdef(declarations(interface()))
ffibuilder.set_source(
    "tallylens.edge_runtime.core._tally",
    '#include "tally.h"',
    source_extension=".cpp",
    sources=sorted(path.as_posix() for path in (CORE / "src").glob("*.cpp")),
    include_dirs=[(CORE / "include").as_posix()],
    depends=sorted(path.as_posix() for path in CORE.glob("*/*.h")),
    extra_compile_args=["/std:c++17", "/O2", "/EHsc"]
    if MSVC
    else ["-std=c++17", "-O3", "-fvisibility=hidden", "-g0", "-ffp-contract=off"],
)
