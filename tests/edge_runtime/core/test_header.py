"""tally.h is the only contract: it compiles in both languages, and the bridge covers all of it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tallylens.edge_runtime.core.native import ffi, lib

REPOSITORY = Path(__file__).resolve().parents[3]
CORE = REPOSITORY / "edge_runtime" / "core"
HEADER = CORE / "include" / "tally.h"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", str(CORE / "include")]

TEXT = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)
# (result, name, arguments) of every function.
FUNCTIONS = re.findall(r"TALLY_API\s+([\w\s]+\*?)\s*\b(tally_\w+)\s*\(([^)]*)\)\s*;", TEXT)
NAMES = [name for _, name, _ in FUNCTIONS]


def compiler(*names: str) -> str:
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    pytest.skip(f"no compiler here (looked for {', '.join(names)})")


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def arguments(text: str) -> list[str]:
    return [] if text.strip() == "void" else [part.strip() for part in text.split(",")]


def is_pointer(argument: str) -> bool:
    return "*" in argument


def test_the_header_names_every_part_of_the_core() -> None:
    exported = re.findall(r"^TALLY_API ", TEXT, flags=re.MULTILINE)
    assert len(NAMES) == len(set(NAMES)) == len(exported)
    for kind in ("preprocessor", "decoder", "counter"):
        assert {f"tally_{kind}_{what}" for what in ("create", "destroy", "error")} <= set(NAMES)


@pytest.mark.parametrize(
    ("names", "standard", "suffix"),
    [(("gcc", "clang", "cc"), "c11", ".c"), (("g++", "clang++", "c++"), "c++17", ".cpp")],
    ids=["C11", "C++17"],
)
def test_the_header_compiles_alone(
    tmp_path: Path, names: tuple[str, ...], standard: str, suffix: str
) -> None:
    source = tmp_path / f"alone{suffix}"
    source.write_text('#include "tally.h"\n#include "tally.h"\nint main(void) { return 0; }\n')
    run(compiler(*names), f"-std={standard}", *STRICT, "-fsyntax-only", source)


def c_program() -> str:
    """Calls every function with NULL for every pointer and 0 for every value."""
    checks = []
    for result, name, text in FUNCTIONS:
        values = [
            "NULL" if is_pointer(a) else "point" if a.startswith("tally_point ") else "0"
            for a in arguments(text)
        ]
        call = f"{name}({', '.join(values)})"
        if result.strip() == "tally_status":
            checks.append(f'if ({call} != TALLY_INVALID_ARGUMENT) bad("{name}");')
        elif result.strip() == "void":
            checks.append(f"{call};")
        else:
            checks.append(f'if ({call} == NULL || *{call} == 0) bad("{name}");')
    body = "\n  ".join(checks)
    return f"""#include <stdio.h>
#include "tally.h"
static int failures = 0;
static void bad(const char* name) {{ puts(name); failures += 1; }}
int main(void) {{
  const tally_point point = {{0, 0}};
  {body}
  return failures;
}}
"""


@pytest.mark.slow
def test_a_c_program_gets_statuses_for_nulls(tmp_path: Path) -> None:
    c, cpp = compiler("gcc", "clang", "cc"), compiler("g++", "clang++", "c++")
    source = tmp_path / "nulls.c"
    source.write_text(c_program())
    run(c, "-std=c11", *STRICT, "-c", source, "-o", tmp_path / "nulls.o")
    sources = sorted((CORE / "src").glob("*.cpp"))
    program = tmp_path / "nulls"
    run(
        cpp,
        "-std=c++17",
        "-O0",
        "-I",
        CORE / "include",
        tmp_path / "nulls.o",
        *sources,
        "-o",
        program,
    )
    assert run(program) == ""


def build_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(REPOSITORY)  # where setuptools runs it
    spec = importlib.util.spec_from_file_location("build_ffi", CORE / "build_ffi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bridge_declares_every_function(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = build_module(monkeypatch).declarations(HEADER.read_text(encoding="utf-8"))
    assert "TALLY_API" not in declared
    assert "#" not in declared
    assert "/*" not in declared
    for name in NAMES:
        assert re.search(rf"\b{name}\(", declared), name


def test_the_built_core_offers_exactly_the_header() -> None:
    constants = re.findall(r"\b(TALLY_[A-Z0-9_]+) = \d", TEXT)
    assert len(constants) > 20
    assert sorted(dir(lib)) == sorted([*NAMES, *constants])
    for name in constants:
        value = re.search(rf"\b{name} = (\d+)", TEXT)
        assert value is not None
        assert getattr(lib, name) == int(value[1])


def test_the_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", ffi.string(lib.tally_version()).decode())


@pytest.mark.parametrize("kind", ["preprocessor", "decoder", "counter"])
def test_a_live_handle_refuses_nulls_and_says_why(kind: str) -> None:
    out = ffi.new(f"tally_{kind} **")
    create = getattr(lib, f"tally_{kind}_create")
    if kind == "preprocessor":
        assert create(out) == lib.TALLY_OK
    else:
        options = ffi.new(f"tally_{kind}_options *")
        getattr(lib, f"tally_{kind}_defaults")(options)
        assert create(options, out) == lib.TALLY_OK
    handle = ffi.gc(out[0], getattr(lib, f"tally_{kind}_destroy"))
    tried = 0
    for result, name, text in FUNCTIONS:
        first, *others = arguments(text) or [""]
        if result.strip() != "tally_status" or not first.startswith(f"tally_{kind}* "):
            continue
        if name in ("tally_counter_update", "tally_counter_reset"):
            continue  # a frame without any detections; no arguments
        rest = [
            ffi.NULL if is_pointer(a) else (1, 2) if a.startswith("tally_point ") else 1
            for a in others
        ]
        assert getattr(lib, name)(handle, *rest) == lib.TALLY_INVALID_ARGUMENT, name
        assert ffi.string(getattr(lib, f"tally_{kind}_error")(handle)), name
        tried += 1
    assert tried == {"preprocessor": 1, "decoder": 1, "counter": 15}[kind]
