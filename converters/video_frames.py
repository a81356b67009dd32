"""Frames of a video as a folder of images, for calibration on the user's own camera."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..edge_runtime.errors import InputError
from ..edge_runtime.sources.open import open_source
from ..edge_runtime.sources.opencv import load_cv2

FRAMES = 256


@contextlib.contextmanager
def as_image_folder(path: Path | None) -> Iterator[Path | None]:
    """`path` itself if it is a folder; for a video a temporary folder of evenly spaced frames.

    The frames are PNG files named by their number, 128 to 256 of a longer video.

    Raises:
        InputError: no frame can be read.
    """
    if path is None or path.is_dir() or not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="tallylens-", ignore_cleanup_errors=True) as folder:
        _write_frames(path, Path(folder))
        yield Path(folder)


def _write_frames(video: Path, folder: Path) -> None:
    cv2 = load_cv2()
    step, kept = 1, list[Path]()
    with open_source(video) as frames:
        for number, frame in enumerate(frames):
            if number % step:
                continue
            target = folder / f"{number:06}.png"
            target.write_bytes(cv2.imencode(".png", frame.image)[1].tobytes())
            kept.append(target)
            if len(kept) == FRAMES:
                for extra in kept[1::2]:
                    extra.unlink()
                step, kept = 2 * step, kept[::2]
    if not kept:
        raise InputError(video, "no frame can be read", "Give a video or a folder of images")
