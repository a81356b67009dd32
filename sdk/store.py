"""The model store: models known by name, downloads, and the cache of conversions.

$TALLYLENS_HOME, else the user's cache folder
├── models/yolov5n.pt         downloaded, or put there by hand
└── converted/NAME-KEY.onnx   made once from a .pt or .onnx; may be deleted at any time
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

from tallylens.built_in import BUILT_IN
from tallylens.download import Progress, download
from tallylens.edge_runtime.errors import InputError, UnavailableError
from tallylens.edge_runtime.files import sha256
from tallylens.edge_runtime.version import __version__

HOME_VARIABLE = "TALLYLENS_HOME"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Release:
    """An official checkpoint: its address, and what identifies the unchanged file."""

    name: str
    url: str
    sha256: str
    size: int
    license: str

    @property
    def file_name(self) -> str:
        """The name of the file in the store."""
        return self.url.rpartition("/")[2]


RELEASES = {
    release.name: release
    for release in (
        Release(
            name="yolov5n",
            url="https://github.com/ultralytics/yolov5/releases/download/v7.0/yolov5n.pt",
            sha256="4f180cf23ba0717ada0badd6c685026d73d48f184d00fc159c2641284b2ac0a3",
            size=4_062_133,
            license="AGPL-3.0",
        ),
    )
}


def home() -> Path:
    """The folder of models and conversions; it may not exist yet."""
    chosen = os.environ.get(HOME_VARIABLE)
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("tallylens")


@dataclass(frozen=True)
class StoredModel:
    """A model that is known by name.

    Attributes:
        name: what `--model` takes for it.
        path: the file, which exists only if it is `present`.
        size: in bytes.
        license: SPDX identifier of the license of its weights.
        present: the file is on this machine.
        built_in: it came with the package.
    """

    name: str
    path: Path
    size: int
    license: str
    present: bool
    built_in: bool


def list_models() -> list[StoredModel]:
    """Every model that is known by name: the built-in ones, then those that `pull` downloads."""
    return [find_model(name) for name in (*BUILT_IN, *RELEASES)]


def find_model(name: str) -> StoredModel:
    """The model `name`.

    Raises:
        InputError: an unknown name.
    """
    if name in BUILT_IN:
        model = BUILT_IN[name]
        return StoredModel(name, model.path, model.path.stat().st_size, model.license, True, True)
    release = _release(name)
    path = home() / "models" / release.file_name
    return StoredModel(name, path, release.size, release.license, path.is_file(), False)


def model_path(name: str) -> Path:
    """The path that the model `name` has, or will have once it is downloaded.

    Raises:
        InputError: an unknown name.
    """
    return find_model(name).path


def pull(name: str, progress: Progress | None = None) -> Path:
    """Download the official checkpoint `name`, unless an unchanged copy is present.

    The license of its weights is `RELEASES[name].license`. A built-in model is left as it is.

    Args:
        name: a name that `list_models` gives.
        progress: called with (bytes so far, bytes in total or None) during the download.

    Raises:
        InputError: an unknown name, or the download is not the expected file.
        NetworkError: it cannot be downloaded; the remedy says where to put it by hand.
        UnavailableError: the folder cannot be written to.
    """
    target = model_path(name)
    if name in BUILT_IN:
        return target
    release = RELEASES[name]
    if target.is_file() and sha256(target) == release.sha256:
        return target
    download(release.url, target, sha256=release.sha256, max_bytes=release.size, progress=progress)
    return target


def resolve(name_or_path: str | os.PathLike[str]) -> Path:
    """The file (or .mlpackage folder) of a path, or of the name of a known model.

    Raises:
        InputError: neither such a file nor such a name.
        UnavailableError: the model is known, but not downloaded yet.
    """
    path = Path(name_or_path)
    if path.is_file() or (path.is_dir() and path.suffix == ".mlpackage"):
        return path
    found = "no such file (this is a folder)" if path.is_dir() else "no such file"
    name = os.fspath(name_or_path)
    if name not in _names():
        raise InputError(
            path,
            f"{found}, and no model of that name",
            f"Give a model file, or one of: {', '.join(_names())}",
        )
    model = find_model(name)
    if not model.present:
        raise UnavailableError(
            f"the model {name} is not downloaded yet",
            f"Download it with: tallylens models pull {name}, or save {model.path.name} as "
            f"{model.path}; tallylens demo works without it",
        )
    return model.path


def cached(source: Path, options: Mapping[str, object], *, suffix: str = ".tflite") -> Path:
    """The path of the conversion of `source` with `options`; the file may not exist yet.

    The name depends on the SHA-256 of the source's content, the options and the version of
    tallylens, so that a change of any of them is another file. Write it through `replacing`.

    Raises:
        InputError: the source cannot be read.
    """
    parts = {"source": sha256(source), "options": options, "version": __version__}
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", source.stem)[:60]
    return home() / "converted" / f"{stem}-{key[:20]}{suffix}"


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path to write to; moved to `target` on success, deleted on failure.

    Two processes that make the same file at once do not disturb each other: each writes its own,
    and `target` is complete at any time.

    Raises:
        UnavailableError: the folder cannot be written to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
    except OSError as error:
        raise UnavailableError(
            f"{target.parent} cannot be written to ({error.strerror})",
            f"Set {HOME_VARIABLE} to a writable folder",
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


def _names() -> list[str]:
    return [*RELEASES, *BUILT_IN]


def _release(name: str) -> Release:
    if name not in RELEASES:
        raise InputError(name, "no model of that name", f"Choose from: {', '.join(_names())}")
    return RELEASES[name]
