"""The tools and folders: Swift, LiteRT's library, and where things are built."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from step_runner.run import MissingToolError

IOS = Path(__file__).resolve().parent.parent
REPOSITORY = IOS.parent.parent
CONFORMANCE = IOS.parent / "conformance"
BUILD = Path(os.environ.get("TALLYLENS_IOS_BUILD", IOS / "build"))
PYTHON = sys.executable


def cache() -> Path:
    """The folder for downloads and recordings."""
    home = os.environ.get("TALLYLENS_HOME")
    base = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = base / ("ios-tools" if home else "tallylens/ios-tools")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(command: Sequence[object], **options: Any) -> str:
    """The output of a command, both streams; raises CalledProcessError with it."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, words, done.stdout)
    return str(done.stdout)


def python(*arguments: object, cwd: Path = REPOSITORY) -> str:
    """The output of a Python program that finds the modules of this repository."""
    given = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(REPOSITORY), *([given] if given else [])])
    return run([PYTHON, *arguments], cwd=cwd, env={**os.environ, "PYTHONPATH": path})


def swift(name: str = "swift") -> Path:
    """A program of the Swift toolchain."""
    for folder in (os.environ.get("SWIFT_HOME", "/opt/swift"), "/usr"):
        found = Path(folder) / "usr" / "bin" / name
        if found.is_file():
            return found
    on_path = shutil.which(name)
    if on_path is None:
        raise MissingToolError(
            f"no {name}: install Swift 6 from swift.org in /opt/swift, or set SWIFT_HOME"
        )
    return Path(on_path)


def package(
    *command: str,
    folder: Path = REPOSITORY,
    scratch: str = "package",
    environment: dict[str, str] | None = None,
) -> str:
    """`swift build`, `swift test` and so on of a package."""
    where = ["--package-path", folder, "--scratch-path", BUILD / scratch]
    verb, *rest = command
    return run([swift(), verb, *where, *rest], env=environment)


def litert() -> Path:
    """LiteRT's library of the installed package."""
    spec = importlib.util.find_spec("ai_edge_litert")
    if spec is None or not spec.submodule_search_locations:
        raise MissingToolError("LiteRT is not installed: pip install ai-edge-litert")
    return Path(spec.submodule_search_locations[0]) / "libLiteRt.so"
