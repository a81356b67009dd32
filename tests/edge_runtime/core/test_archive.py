"""The release archive of the core, unpacked elsewhere and used by a C program."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
CORE = REPOSITORY / "edge_runtime" / "core"
HEADERS = sorted((CORE / "include").glob("*.h"))
NAMES = {
    name
    for header in HEADERS
    for name in re.findall(r"\b(tally_\w+)\(", header.read_text(encoding="utf-8"))
}
PAGE = 0x4000
MAX_ARM64_BYTES = 300 << 10
PROGRAM = """#include <stdio.h>
#include <string.h>
#include "tally.h"
int main(void) {
  tally_governor_options options;
  tally_governor* governor = NULL;
  int32_t wanted = 0;
  options.struct_size = sizeof options;
  if (tally_governor_defaults(&options) != TALLY_OK) return 1;
  if (tally_governor_create(&options, &governor, NULL, 0) != TALLY_OK) return 2;
  if (tally_governor_wants(governor, 0, &wanted, NULL) != TALLY_OK || wanted != 1) return 3;
  tally_governor_destroy(governor);
  options.num_sizes = 0; /* refused by an exception inside, which must not leave */
  if (tally_governor_create(&options, &governor, NULL, 0) != TALLY_INVALID_ARGUMENT) return 4;
  if (strcmp(tally_version(), TALLY_VERSION) != 0) return 5;
  puts(tally_version());
  return 0;
}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="ELF; macOS archives are tried by CI"),
]


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def needed(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="module")
def unpacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed("cmake")
    machine = request.param
    if machine == "aarch64":
        needed("aarch64-linux-gnu-g++")
    folder = tmp_path_factory.mktemp(machine)
    archive = run(CORE / "archive.sh", folder, f"linux-{machine}").strip()
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found


def check_library(library: Path) -> None:
    table = run("nm", "-D", "--defined-only", library).split()
    exported = set(table[2::3])
    assert exported == NAMES, exported ^ NAMES
    loads = re.findall(r"^\s*LOAD .* (0x[0-9a-f]+)$", run("readelf", "-lW", library), re.MULTILINE)
    assert loads
    assert all(int(align, 16) == PAGE for align in loads)
    assert "libstdc++" not in run("readelf", "-d", library), "it holds its own"


@pytest.mark.parametrize("unpacked", ["x86_64"], indirect=True)
def test_a_c_program_uses_the_archive(unpacked: Path, tmp_path: Path) -> None:
    if run("uname", "-m").strip() != "x86_64":
        pytest.skip("not an x86-64 machine")
    check_library(unpacked / "lib" / "libtally.so")
    source, libraries = tmp_path / "program.c", unpacked / "lib"
    source.write_text(PROGRAM)
    include = f"-I{unpacked / 'include'}"
    version = unpacked.name.split("-")[1]
    static = (libraries / "libtally.a", "-lstdc++", "-lm")
    shared = (f"-L{libraries}", "-ltally", f"-Wl,-rpath,{libraries}")
    for name, flags in (("static", static), ("shared", shared)):
        run(needed("gcc"), "-std=c11", include, source, *flags, "-o", tmp_path / name)
        assert run(tmp_path / name).strip() == version
    check_cmake_package(unpacked, tmp_path)
    if shutil.which("pkg-config"):
        search = f"--with-path={libraries / 'pkgconfig'}"
        found = run("pkg-config", search, "--cflags", "--libs", "tally").split()
        run("gcc", source, *found, f"-Wl,-rpath,{libraries}", "-o", tmp_path / "found")
        assert run(tmp_path / "found").strip() == version


def check_cmake_package(unpacked: Path, folder: Path) -> None:
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(user C)\nfind_package(tally REQUIRED)\n"
        "add_executable(user program.c)\ntarget_link_libraries(user tally::tally)\n"
    )
    run("cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={unpacked}")
    run("cmake", "--build", folder / "build")
    assert run(folder / "build" / "user")


@pytest.mark.parametrize("unpacked", ["aarch64"], indirect=True)
def test_the_library_of_arm64_is_small(unpacked: Path, tmp_path: Path) -> None:
    library = (unpacked / "lib" / "libtally.so").resolve()
    check_library(library)
    assert library.stat().st_size <= MAX_ARM64_BYTES
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(PROGRAM)
    flags = (f"-I{unpacked / 'include'}", f"-L{unpacked / 'lib'}", "-ltally")
    run("aarch64-linux-gnu-gcc", source, *flags, "-o", program)
    root, paths = "/usr/aarch64-linux-gnu", f"LD_LIBRARY_PATH={unpacked / 'lib'}"
    assert run(needed("qemu-aarch64"), "-L", root, "-E", paths, program)
