"""OpenCV, imported late and kept quiet: FFmpeg's own lines on stderr tell users nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import MissingExtraError

MAX_PIXELS = 100_000_000


def load_cv2() -> Any:
    """The cv2 module. What the user has set in the environment about logging stays."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("opencv-python", "all", "reading pictures") from error
    return cv2


def is_text(path: Path) -> bool:
    """Whether OpenCV can be handed the path; one with bytes that are no text crashes it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def ffmpeg_or_any(cv2: Any) -> int:
    """FFmpeg where OpenCV was built with it; some other backends take any name for a pattern."""
    backends = cv2.videoio_registry.getBackends()
    return int(cv2.CAP_FFMPEG if cv2.CAP_FFMPEG in backends else cv2.CAP_ANY)
