"""OpenCV, imported on first use, without the log lines of FFmpeg on stderr."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import MissingExtraError

MAX_PIXELS = 100_000_000


def load_cv2() -> Any:
    """The cv2 module; log settings in the environment are respected."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("opencv-python", "all", "reading frames") from error
    return cv2


def is_text(path: Path) -> bool:
    """Whether the path is valid text; OpenCV crashes on others."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def ffmpeg_or_any(cv2: Any) -> int:
    """The FFmpeg backend if OpenCV has it: other backends may take a name for a pattern."""
    backends = cv2.videoio_registry.getBackends()
    return int(cv2.CAP_FFMPEG if cv2.CAP_FFMPEG in backends else cv2.CAP_ANY)


def fails_at_interlaced(cv2: Any) -> bool:
    """Whether this OpenCV decodes interlaced video to blank frames, without an error."""
    version = tuple(map(int, cv2.__version__.split(".")[:2]))
    return (4, 13) <= version <= (5, 0)
