"""Converted models for tests that only use them; each is converted once and kept between runs.

The cache lies in the folder TALLYLENS_TEST_CACHE, by default in pytest's own cache. A file is found
by the content of its source, of all code that takes part in a conversion, the versions of the
libraries and the options, so that it is never out of date.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tallylens.converters.emit import EMITTERS, Target

ROOT = Path(__file__).resolve().parents[2]
_CODE = ("converters", "edge_runtime/core", "edge_runtime/metadata.py", "edge_runtime/version.py")
_LIBRARIES = ("coremltools", "flatbuffers", "numpy", "onnx", "onnx-ir", "tensorflow-cpu")
_CODE_SUFFIXES = {".py", ".cpp", ".h"}


def converted(source: Path, target: Target, size: str, *options: str) -> Path:
    """The file or package that `tallylens convert SOURCE --to TARGET --imgsz SIZE` writes.

    `options` are further ones of the command line, without paths. The file is shared: copy it
    before changing it. Two processes that convert at the same time write the same file.
    """
    folder = _cache() / _key(source, target, size, *options)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            out = Path(made) / "out"
            arguments = ["--to", target, "--imgsz", size, "--no-verify", "-o", str(out), *options]
            command = [sys.executable, "-m", "tallylens", "convert", str(source), *arguments]
            subprocess.run(command, check=True, capture_output=True)
            _move(out, folder)
    (found,) = folder.glob(f"*.{EMITTERS[target].extension}")
    return found


def _move(made: Path, folder: Path) -> None:
    """Move the folder to its path; another process may have been faster."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _cache() -> Path:
    chosen = os.environ.get("TALLYLENS_TEST_CACHE")
    return Path(chosen) if chosen else ROOT / ".pytest_cache" / "conversions"


def _key(source: Path, *options: str) -> str:
    digest = hashlib.sha256(_code_and_libraries())
    for part in (source.name, hashlib.sha256(source.read_bytes()).hexdigest(), *options):
        digest.update(f"{len(part)} {part} ".encode())
    return digest.hexdigest()[:32]


@functools.cache
def _code_and_libraries() -> bytes:
    digest = hashlib.sha256()
    for name in _LIBRARIES:
        try:
            digest.update(f"{name} {version(name)} ".encode())
        except PackageNotFoundError:
            digest.update(f"{name} absent ".encode())
    for path in _code_files():
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT).as_posix()} {len(content)} ".encode())
        digest.update(content)
    return digest.digest()


def _code_files() -> Iterator[Path]:
    for name in _CODE:
        path = ROOT / name
        if path.is_file():
            yield path
        else:
            yield from sorted(p for p in path.rglob("*") if p.suffix in _CODE_SUFFIXES)
