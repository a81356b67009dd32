"""Probing a file in another process, and comparing what it is with a plan's limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .plans import VideoLimits
from .probe import Probed, RefusedVideoError

# Beyond the processor time that the process may use: a file on a slow disk.
WAIT_S = 60.0


def probe_apart(path: Path, limits: VideoLimits) -> Probed:
    """Probe a file in a process of its own, and check it against the limits.

    Raises:
        RefusedVideoError: no video, or beyond the limits; the message is for its user.
    """
    command = [sys.executable, "-m", f"{__package__}.probe", str(path), str(limits.frames)]
    # Its environment holds nothing but where Python finds the package.
    environment = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WAIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RefusedVideoError("the file takes too long to read") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {"refused": "the file takes too much memory or time to read"}
    if "refused" in answer:
        raise RefusedVideoError(str(answer["refused"]))
    found = Probed(**answer)
    check_limits(found, limits)
    return found


def check_limits(found: Probed, limits: VideoLimits) -> None:
    """Raise RefusedVideoError for a video beyond the limits."""
    for value, most, text in (
        (max(found.width, found.height), limits.side, "its longer side is {} pixels"),
        (found.frames, limits.frames, "it has {} frames"),
        (found.seconds, limits.seconds, "it lasts {:.1f} seconds"),
        (found.fps, limits.fps, "it has {:.1f} frames per second"),
    ):
        # A rate is measured from rounded times.
        if value > most * 1.005:
            raise RefusedVideoError(f"{text.format(value)}; at most {most:g} are allowed")
