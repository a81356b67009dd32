"""One result on every processor: the same bits from GCC and Clang, on x86-64 and arm64.

arm64 runs under qemu-user. Each build runs twice: with the instructions of its processor, and with
the code for processors without any (TALLY_PORTABLE).
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.edge_runtime.core.one_result import scenario

HERE = Path(__file__).parent
CORE = HERE.parents[2] / "edge_runtime" / "core"
SOURCES = sorted((CORE / "src").glob("*.cpp"))
REPLAY = HERE / "one_result" / "replay.cpp"
# Compiler and flags as the builds of the core give them. Clang gets no flag against fused
# operations: the pragma of exact_floats.h is all that a Swift package has.
BUILDS = {
    "x86-64 gcc": ("g++", "-ffp-contract=off"),
    "x86-64 clang": ("clang++", "-Wno-deprecated-declarations"),
    "arm64 gcc": ("aarch64-linux-gnu-g++", "-ffp-contract=off"),
    "arm64 clang": ("clang++", "-Wno-deprecated-declarations", "--target=aarch64-linux-gnu"),
}
SWIFT = "/opt/swift/usr/bin"  # where a Swift toolchain has its Clang
RUNNER = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]


def tool(name: str) -> str:
    """The compiler; Clang of a Swift toolchain does as well."""
    found = shutil.which(name) or shutil.which(name, path=os.environ.get("SWIFT_BIN", SWIFT))
    if found is None:
        pytest.skip(f"no {name} here")
    return found


def compile_core(name: str, folder: Path) -> list[Path]:
    """The programs of a build: with special instructions and portable."""
    compiler, *flags = BUILDS[name]
    command = [tool(compiler), "-std=c++17", "-O2", "-DNDEBUG", *flags, f"-I{CORE / 'include'}"]
    objects: dict[bool, list[str]] = {False: [], True: []}
    for source in [*SOURCES, REPLAY]:
        special = '#include "processor.h"' in source.read_text(encoding="utf-8")
        for portable in (False, True):
            built = folder / f"{source.stem}{'-portable' * (portable and special)}.o"
            objects[portable].append(str(built))
            if not built.exists():
                define = ["-DTALLY_PORTABLE"] * (portable and special)
                subprocess.run([*command, *define, "-c", source, "-o", built], check=True)
    programs = [folder / "native", folder / "portable"]
    for program, portable in zip(programs, (False, True), strict=True):
        subprocess.run([*command[:1], *flags, *objects[portable], "-o", program], check=True)
    return programs


def results(name: str, programs: list[Path], recorded: Path) -> list[str]:
    """The output of both programs of a build."""
    runner = []
    if name.startswith("arm64"):
        if shutil.which(RUNNER[0]) is None:
            pytest.skip(f"no {RUNNER[0]} here")
        runner = RUNNER
    run = [
        subprocess.run([*runner, program, recorded], capture_output=True, text=True, check=False)
        for program in programs
    ]
    assert all(done.returncode == 0 for done in run), [done.stdout + done.stderr for done in run]
    return [done.stdout for done in run]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    golden = Path(os.environ.get("TALLYLENS_DATA", "")) / "models" / "yolov5n-bus.golden.npz"
    calls = itertools.chain(
        scenario.vectors(),
        scenario.long_scene(20_000),
        scenario.decoding(np.load(golden) if golden.is_file() else None),
        scenario.scaling(),
    )
    path = tmp_path_factory.mktemp("one_result") / "calls"
    path.write_bytes(b"".join(calls))
    return path


@pytest.fixture(scope="module")
def expected(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of the first build."""
    name = next(iter(BUILDS))
    programs = compile_core(name, tmp_path_factory.mktemp("first"))
    native, portable = results(name, programs, recorded)
    assert native == portable
    return native


@pytest.mark.slow
def test_the_recorded_calls_say_something(expected: str) -> None:
    counts = dict(re.findall(r"^(\w+) (\d+) [0-9a-f]{16}$", expected, flags=re.MULTILINE))
    assert int(counts["counting"]) > 1000
    assert int(counts["decoding"]) > 1000
    assert int(counts["scaling"]) > 500


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BUILDS if name != "x86-64 gcc"])
def test_every_build_gives_the_same_bits(
    name: str, expected: str, recorded: Path, tmp_path: Path
) -> None:
    programs = compile_core(name, tmp_path)
    assert results(name, programs, recorded) == [expected, expected]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_every_source_starts_with_exact_floats(source: Path) -> None:
    """The pragma holds for what follows it: the include is the first of the file."""
    text = source.read_text(encoding="utf-8")
    (first, *_) = re.findall(r'^#include ["<](.+)[">]$', text, flags=re.MULTILINE)
    assert first == "exact_floats.h"


@pytest.mark.parametrize(
    "source", [*SOURCES, *sorted((CORE / "src").glob("*.h"))], ids=lambda s: s.name
)
def test_no_function_of_a_c_library_decides(source: Path) -> None:
    """Those whose last bit differs between libraries; elementary.h has those that are needed."""
    text = source.read_text(encoding="utf-8")
    inexact = r"exp|exp2|expm1|log|log2|log10|log1p|pow|sin|cos|tan|atan2?|hypot|cbrt|tgamma|fma"
    assert not re.findall(rf"\b(?:std::|__builtin_)(?:{inexact})f?\s*\(", text)
