"""Small videos and images in which each frame has its own brightness."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

WIDTH, HEIGHT = 64, 48
LEVEL = 8


def picture(index: int) -> np.ndarray:
    """Frame `index`: one gray level, with a brighter top left quarter."""
    image = np.full((HEIGHT, WIDTH, 3), LEVEL * index, np.uint8)
    image[: HEIGHT // 2, : WIDTH // 2] += 40
    return image


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "video.mp4", frames: int = 20, fps: float = 10.0) -> Path:
        path = tmp_path / name
        codec = "MJPG" if path.suffix == ".avi" else "mp4v"
        fourcc = cv2.VideoWriter_fourcc(*codec)
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, (WIDTH, HEIGHT))
        assert writer.isOpened()
        for index in range(frames):
            writer.write(picture(index))
        writer.release()
        return path

    return make


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """frame1.png to frame12.png, and a text file."""
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(1, 13):
        cv2.imwrite(str(folder / f"frame{index}.png"), picture(index))
    (folder / "notes.txt").write_text("not an image")
    return folder
