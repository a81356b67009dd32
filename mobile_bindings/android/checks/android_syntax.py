"""The native code as Clang reads it for Android: libc++, as the NDK has it, and Android's target.

The NDK's libc is not at hand; glibc's headers for arm64 and two of `stubs/bionic` stand for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from step_runner.outcome import Outcome, require

from . import places, tools

TARGET = "aarch64-linux-android24"
# libc++ 19, which the NDK r28 has, needs at least this Clang.
MIN_CLANG = 18
LIBC = Path("/usr/aarch64-linux-gnu/include")


def android_syntax() -> Outcome:
    """Every native source, with warnings as errors."""
    sources = native_sources()
    command = [clang(), f"--target={TARGET}", "-fsyntax-only", "-std=c++17", *includes()]
    command += ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    workers = os.cpu_count() or 1
    chunks = [sources[first::workers] for first in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda chunk: tools.run([*command, *chunk]), chunks))
    wrong = places.BUILD / "wrong.cpp"
    wrong.write_text("#include <vector>\nint f(std::vector<int> v) { return v; }\n", "utf-8")
    return Outcome(passed=len(sources)) + require(not accepts([*command, wrong]), "errors pass")


def accepts(command: list[str | Path]) -> bool:
    """Whether the compiler takes it: a check that could not fail would be none."""
    try:
        tools.run(command)
    except subprocess.CalledProcessError:
        return False
    return True


def native_sources() -> list[Path]:
    """The sources of libtallylens.so."""
    core = places.REPOSITORY / "edge_runtime" / "core"
    folders = (places.JNI, places.NATIVE, core / "src")
    sources = [file for folder in folders for file in sorted(folder.glob("*.cpp"))]
    return [*sources, core / "shared" / "terminate.cpp"]


def own_includes() -> list[str]:
    """Options for the folders of our own headers."""
    core = places.REPOSITORY / "edge_runtime" / "core"
    return [
        f"-I{folder}"
        for folder in (places.NATIVE / "include", places.NATIVE, core / "include", core / "src")
    ]


def includes() -> list[str]:
    """Options for all headers: libc++ and what stands for bionic, jni.h, and our own."""
    found = sorted(Path("/usr/lib").glob("llvm-*/include/c++/v1"), key=_version)
    if not found:
        raise tools.MissingToolError("no headers of libc++: apt-get install libc++-19-dev")
    if not LIBC.is_dir():
        raise tools.MissingToolError(f"no {LIBC}: apt-get install g++-aarch64-linux-gnu")
    java = tools.java_home() / "include"
    system = [found[-1], places.ANDROID / "stubs" / "bionic", LIBC, java, java / "linux"]
    return ["-nostdinc++", *(f"-isystem{folder}" for folder in system), *own_includes()]


def _version(headers: Path) -> int:
    return int(headers.parts[3].removeprefix("llvm-"))


def clang() -> str:
    """A Clang that is new enough: of Swift's toolchain, or on PATH."""
    swift = Path(os.environ.get("SWIFT_HOME", "/opt/swift")) / "usr" / "bin" / "clang++"
    for candidate in (str(swift), "clang++-19", "clang++"):
        path = shutil.which(candidate)
        if path is None:
            continue
        macros = tools.run([path, "-dM", "-E", "-x", "c++", "/dev/null"]).splitlines()
        major = next(line.split()[-1] for line in macros if "__clang_major__" in line)
        if int(major) >= MIN_CLANG:
            return path
    raise tools.MissingToolError(
        f"no Clang {MIN_CLANG} or later: apt-get install clang-19, or Swift 6 in /opt/swift"
    )
