"""The tools: Kotlin's compiler and LiteRT's libraries from PyPI, Java libraries from Debian."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from step_runner.run import MissingToolError

from . import places

# The compiler's jar also holds coroutines; K2 in the version that the wheel was made with.
KOTLIN = ("kotlin-jupyter-kernel", "0.19.0.944")
ANDROID_STUBS = ("chaquopy-stubs-android", "36.20260406")
SHA256 = {
    KOTLIN: "dc654a426a28e6621aeb0bd7772d268a9a877aabae4a17b73383752a416281a3",
    ANDROID_STUBS: "5e18511ccb7ae519d8c4643408cf16262fa5f20eb1d1a7e97cfe28de16e12008",
}
JARS = Path("/usr/share/java")
DEBIAN = "apt-get install openjdk-17-jdk-headless junit4 libokhttp-java"


def run(command: Sequence[object], **options: Any) -> str:
    """The output of a command; raises CalledProcessError with it."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
    return str(done.stdout)


def beside_python(name: str) -> Path:
    """A program of a package that is installed with this Python, else of PATH."""
    found = shutil.which(name, path=str(Path(places.PYTHON).parent)) or shutil.which(name)
    if found is None:
        raise MissingToolError(f"no {name}: pip install {name}")
    return Path(found)


def python(*arguments: object) -> str:
    """The output of Python, with the package installed, in the repository."""
    return run([places.PYTHON, *arguments], cwd=places.REPOSITORY)


@cache
def wheel(package: tuple[str, str]) -> Path:
    """The wheel of a package and version, downloaded once.

    Raises:
        MissingToolError: PyPI is out of reach, or gives another file than before.
    """
    name, version = package
    folder = places.cache() / f"{name}-{version}"
    found = next(folder.glob("*.whl"), None)
    if found is None:
        download = [places.PYTHON, "-m", "pip", "download", "-q", "--no-deps", "-d", folder]
        try:
            run([*download, f"{name}=={version}"])
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise MissingToolError(f"{name} {version} cannot be downloaded: {reason}") from error
        found = next(folder.glob("*.whl"))
    expected = SHA256.get(package)
    if expected is not None and _sha256(found) != expected:
        raise MissingToolError(f"{found} is not the file that was checked before; delete it")
    return found


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def unpacked(package: tuple[str, str], pattern: str) -> Path:
    """A folder with the files of a wheel whose path matches `pattern`, without their folders."""
    source = wheel(package)
    folder = source.parent / "unpacked"
    if not folder.is_dir():
        partial = source.parent / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        with zipfile.ZipFile(source) as archive:
            for name in archive.namelist():
                if re.search(pattern, name):
                    (partial / Path(name).name).write_bytes(archive.read(name))
        partial.rename(folder)
    return folder


def unpacked_tree(package: tuple[str, str]) -> Path:
    """A folder with all files of a wheel, in their folders."""
    source = wheel(package)
    folder = source.parent / "tree"
    if not folder.is_dir():
        partial = source.parent / "partial-tree"
        shutil.rmtree(partial, ignore_errors=True)
        with zipfile.ZipFile(source) as archive:
            archive.extractall(partial)
        partial.rename(folder)
    return folder


def litert(version: str | None = None) -> Path:
    """LiteRT's library: of the package that is installed, or of a version from PyPI."""
    if version is not None:
        return unpacked(("ai-edge-litert", version), r"/libLiteRt\.so$") / "libLiteRt.so"
    spec = importlib.util.find_spec("ai_edge_litert")
    if spec is None or not spec.submodule_search_locations:
        raise MissingToolError("LiteRT is not installed: pip install ai-edge-litert")
    return Path(spec.submodule_search_locations[0]) / "libLiteRt.so"


@cache
def java_home() -> Path:
    """The JDK of `java`."""
    java = shutil.which("java")
    if java is None:
        raise MissingToolError(f"no JDK: {DEBIAN}")
    shown = subprocess.run(
        [java, "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=True
    )
    found = re.search(r"java\.home = (.*)", shown.stderr)
    home = Path(found.group(1)) if found else Path(java).resolve().parent.parent
    if not (home / "include" / "jni.h").is_file():
        raise MissingToolError(f"{home} has no headers, and is not a JDK: {DEBIAN}")
    return home


def kotlin_jar(prefix: str) -> Path:
    """A jar of the compiler's wheel, by the start of its name."""
    folder = unpacked(KOTLIN, r"/jars/.*\.jar$")
    return next(file for file in sorted(folder.iterdir()) if file.name.startswith(prefix))


def compiler_jar() -> Path:
    """Kotlin's compiler, with coroutines."""
    return kotlin_jar("kotlin-jupyter-kernel")


def runtime_jars() -> list[Path]:
    """The class path of a program that uses tallylens-core."""
    return [
        kotlin_jar("kotlin-stdlib"),
        kotlin_jar("kotlinx-serialization-core"),
        kotlin_jar("kotlinx-serialization-json"),
        compiler_jar(),
    ]


def debian_jar(name: str) -> Path:
    """A jar of a Debian package."""
    jar = JARS / name
    if not jar.is_file():
        raise MissingToolError(f"{jar} is missing: {DEBIAN}")
    return jar
