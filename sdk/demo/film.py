"""A scene as a video file, drawn on all cores."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2

from tallylens.edge_runtime.detection.pipeline import usable_cores
from tallylens.edge_runtime.errors import InputError, UnavailableError

from .scene import Scene, Shot
from .stills import Stills

AHEAD = 2
STILLS = 64


def film(
    scene: Scene, path: Path, progress: Callable[[int], None], stills: Stills | None = None
) -> None:
    """Write the scene to the .mp4 `path`, which appears whole or not at all.

    Args:
        scene: what to draw.
        path: its folder is made if needed.
        progress: told the frames drawn so far.
        stills: where some frames, spread over the scene, are saved with their labels.

    Raises:
        InputError: a folder cannot be made or written to.
        UnavailableError: this OpenCV cannot write MPEG-4.
    """
    partial = path.with_name(f".{path.stem}.part.mp4")
    make_folder(path.parent)
    writer = cv2.VideoWriter(str(partial), cv2.VideoWriter.fourcc(*"mp4v"), scene.fps, scene.size)
    try:
        if not writer.isOpened():
            raise UnavailableError(
                f"OpenCV cannot write {path}", "Install opencv-python from PyPI, with its FFmpeg"
            )
        every = max(1, scene.frames // STILLS)
        for index, shot in enumerate(_drawn(scene)):
            writer.write(shot.image)
            if stills is not None and index % every == 0:
                stills.save(f"frame{index:05}", shot)
            progress(index + 1)
        writer.release()
        partial.replace(path)
    finally:
        writer.release()
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            folder,
            f"the folder cannot be made ({error.strerror or error})",
            "Choose another one with -o",
        ) from error


def _drawn(scene: Scene) -> Iterator[Shot]:
    """Every frame in order; a few are drawn at once."""
    workers = usable_cores()
    waiting: deque[Future[Shot]] = deque()

    with ThreadPoolExecutor(workers, thread_name_prefix="draw") as pool:
        for index in range(scene.frames):
            waiting.append(pool.submit(scene.frame, index))
            if len(waiting) >= workers + AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
