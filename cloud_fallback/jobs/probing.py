"""Probing a file in another process, and comparing what it is with a plan's limits."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

from .plans import VideoLimits
from .probe import MAX_ANSWER, TOO_MUCH, Probed, RefusedVideoError

# Beyond the processor time that a file may take: of a slow disk.
WAIT_S = 60.0


class Prober:
    """Probes files in processes of their own; started with the first file."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def probe(self, path: Path, limits: VideoLimits) -> Probed:
        """Probe a file and check it against the limits.

        Raises:
            RefusedVideoError: no video, or beyond the limits; the message is for its user.
        """
        asked = {"path": str(path), "max_frames": limits.frames}
        try:
            found = json.loads(self._ask(json.dumps(asked).encode() + b"\n"))
        except (OSError, ValueError) as error:
            self.close()
            raise RefusedVideoError(TOO_MUCH) from error
        if "refused" in found:
            raise RefusedVideoError(str(found["refused"]))
        probed = Probed(**found)
        check_limits(probed, limits)
        return probed

    def _ask(self, line: bytes) -> bytes:
        """The answer to one line; empty if the process has ended or takes too long."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        pipe, answer, deadline = process.stdout.fileno(), b"", time.monotonic() + WAIT_S
        while not answer.endswith(b"\n"):
            readable, _, _ = select.select([pipe], [], [], max(0, deadline - time.monotonic()))
            part = os.read(pipe, MAX_ANSWER) if readable else b""
            if not part:
                return b""
            answer += part
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.probe"],
                # Nothing of ours, such as the address of the database: only where Python looks.
                env={"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._process

    def close(self) -> None:
        """End the process, with a file that it may be reading."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


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
