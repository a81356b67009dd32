"""The models that tallylens can fetch, and what it made of models before.

$TALLYLENS_HOME, else the user's cache folder
├── models/yolov5n.pt         fetched, or put there by hand
└── converted/NAME-KEY.tflite  made once from a .pt or .onnx; may be deleted at any time
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tallylens.demo.model import NAME as DEMO
from tallylens.demo.model import demo_model
from tallylens.download import Progress, download
from tallylens.edge_runtime.errors import InputError, UnavailableError
from tallylens.edge_runtime.files import sha256
from tallylens.edge_runtime.version import __version__

HOME_VARIABLE = "TALLYLENS_HOME"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Release:
    """An official checkpoint: where it is, and how to know that it arrived unchanged."""

    name: str
    url: str
    sha256: str
    size: int
    licence: str

    @property
    def file_name(self) -> str:
        """The name that the file has in the store."""
        return self.url.rpartition("/")[2]


RELEASES = {
    release.name: release
    for release in (
        Release(
            name="yolov5n",
            url="https://github.com/ultralytics/yolov5/releases/download/v7.0/yolov5n.pt",
            sha256="4f180cf23ba0717ada0badd6c685026d73d48f184d00fc159c2641284b2ac0a3",
            size=4_062_133,
            licence="AGPL-3.0",
        ),
    )
}


def home() -> Path:
    """The folder that holds models and conversions; it need not exist yet."""
    chosen = os.environ.get(HOME_VARIABLE)
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("tallylens")


@dataclass(frozen=True)
class StoredModel:
    """A model that can be fetched, where it belongs, and whether it is there."""

    release: Release
    path: Path
    present: bool


def list_models() -> list[StoredModel]:
    """Every model that `pull` knows."""
    paths = {name: model_path(name) for name in RELEASES}
    return [StoredModel(RELEASES[name], path, path.is_file()) for name, path in paths.items()]


def model_path(name: str) -> Path:
    """Where the model `name` is, or would be.

    Raises:
        InputError: no model of that name is known.
    """
    return home() / "models" / _release(name).file_name


def pull(name: str, progress: Progress | None = None) -> Path:
    """Fetch the official checkpoint `name`, unless it is there already and unchanged.

    Its weights have a licence of their own, `RELEASES[name].licence`.

    Args:
        name: a key of `RELEASES`.
        progress: called with (bytes so far, bytes in all or None) as they come in.

    Raises:
        InputError: an unknown name, or the download is not the expected file.
        NetworkError: it cannot be fetched; the remedy says where to put it by hand.
        UnavailableError: the folder cannot be written to.
    """
    release = _release(name)
    target = model_path(name)
    if target.is_file() and sha256(target) == release.sha256:
        return target
    download(release.url, target, sha256=release.sha256, max_bytes=release.size, progress=progress)
    return target


def resolve(name_or_path: str | os.PathLike[str]) -> Path:
    """The file (or .mlpackage folder) that MODEL means: an existing path, else a stored name.

    Raises:
        InputError: neither.
        UnavailableError: the name is known, but the model was not pulled yet.
    """
    path = Path(name_or_path)
    if path.is_file() or (path.is_dir() and path.suffix == ".mlpackage"):
        return path
    name = os.fspath(name_or_path)
    if name == DEMO:
        return demo_model()
    if name not in RELEASES:
        raise InputError(
            path,
            "no such file, nor a model of that name",
            f"Give a model file, or one of: {', '.join(RELEASES)}, {DEMO}",
        )
    stored = model_path(name)
    if not stored.is_file():
        raise UnavailableError(
            f"the model {name} is not on this machine yet",
            f"Fetch it with: tallylens models pull {name}, or put {stored.name} at {stored}; "
            "tallylens demo works without",
        )
    return stored


def cached(source: Path, options: Mapping[str, object], *, suffix: str = ".tflite") -> Path:
    """Where the conversion of `source` with `options` is kept; the file need not exist yet.

    The name holds the sha256 of the source's content, the options and the version of tallylens,
    so that another content, option or version is another file. Write it through `replacing`.

    Raises:
        InputError: the source cannot be read.
    """
    parts = {"source": sha256(source), "options": options, "version": __version__}
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", source.stem)[:60]
    return home() / "converted" / f"{stem}-{key[:20]}{suffix}"


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path to write to; the file moves to `target` when the block ends well, else it goes.

    Two processes that make the same file at once do not meet: each writes its own, and the last
    to finish leaves it whole.

    Raises:
        UnavailableError: the folder cannot be written to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
    except OSError as error:
        raise UnavailableError(
            f"{target.parent} cannot be written to ({error.strerror})",
            f"Set {HOME_VARIABLE} to a folder that you can write to",
        ) from error
    temporary = folder / target.name
    try:
        yield temporary
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def _release(name: str) -> Release:
    if name not in RELEASES:
        raise InputError(name, "no model of that name", f"Choose from: {', '.join(RELEASES)}")
    return RELEASES[name]
