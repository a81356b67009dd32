"""Whether a file has changed since it was read."""

from __future__ import annotations

from pathlib import Path


def file_stamp(path: Path) -> tuple[int, ...]:
    """Numbers that change with the file, however fast that is; (0,) without a file."""
    try:
        status = path.stat()
    except OSError:
        return (0,)
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
