"""Checks that this machine's video decoder gives frames, not blanks, for interlaced video."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from ..errors import SourceError, UnavailableError
from .opencv import load_cv2
from .pyav import load_av
from .video import open_video

# Two frames of 64 x 64 pixels, white in the left half and black in the right one.
CLIP = Path(__file__).with_name("interlaced.mp4")


def video_decoder() -> str:
    """The library that decodes video files, and its version."""
    if load_av() is not None:
        return f"PyAV {version('av')}"
    return f"OpenCV {load_cv2().__version__}"


def decodes_interlaced() -> bool:
    """Whether interlaced video is decoded right; OpenCV 4.13.0 to 5.0.0 give blank frames."""
    try:
        with open_video(CLIP) as source:
            image = next(source).image
    except (SourceError, UnavailableError, StopIteration):
        return False
    return bool(image[:, :24].min() > 200 and image[:, 40:].max() < 50)
