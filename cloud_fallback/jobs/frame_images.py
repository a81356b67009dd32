"""Frames of uploaded videos, each read in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

WAIT_S = 30.0
MAX_BYTES = 32 << 20


class FrameImages:
    """Reads frames, one at a time; `close` ends the process that reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def jpeg(self, path: Path, index: int) -> bytes:
        """The frame with this index; empty if there is none, or it cannot be read."""
        with self._lock:
            if self._closed:
                return b""
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.frame_image", str(path), str(index)],
                # Nothing of ours, such as the address of the database: only where Python looks.
                env={"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        timer = threading.Timer(WAIT_S, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            image = process.stdout.read(MAX_BYTES + 1)
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        whole = image.startswith(b"\xff\xd8") and image.endswith(b"\xff\xd9")
        return image if whole and len(image) <= MAX_BYTES else b""

    def close(self) -> None:
        """Read nothing more."""
        with self._lock:
            self._closed = True
            if self._process is not None and self._process.poll() is None:
                self._process.kill()
