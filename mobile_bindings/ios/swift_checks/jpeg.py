"""The JPEG files of the Swift encoder, decoded and compared with those of libjpeg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from step_runner.outcome import Outcome, require

# Of the peak signal-to-noise ratio, and of the size.
WITHIN_DB, WITHIN_BYTES = 0.5, 1.1
# Of one gray level everywhere: nearer than that is as good.
ONE_LEVEL_DB = 48.1
FILES = 9


def decoded(folder: Path) -> Outcome:
    """Each file of the unit tests is as near to its image as one of libjpeg, and as small."""
    import cv2
    import numpy as np

    files = sorted(folder.glob("*.jpg"))
    outcome = require(len(files) == FILES, f"{len(files)} JPEG files")
    for file in files:
        size, quality = file.stem.split("-")
        width, height = map(int, size.split("x"))
        pixels = np.fromfile(folder / f"{size}.rgb", np.uint8).reshape(height, width, 3)
        image = np.ascontiguousarray(pixels[..., ::-1])
        found = cv2.imread(str(file))
        if found is None or found.shape != image.shape:
            outcome += require(False, f"{file.name} cannot be decoded")
            continue
        _, other = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
        ours, theirs = _psnr(found, image), _psnr(cv2.imdecode(other, cv2.IMREAD_COLOR), image)
        near = ours >= min(theirs, ONE_LEVEL_DB) - WITHIN_DB
        small = file.stat().st_size <= WITHIN_BYTES * len(other)
        shown = f"{ours:.1f} dB, {theirs:.1f}; {file.stat().st_size} bytes, {len(other)}"
        outcome += require(near and small, f"{file.name}: {shown}")
    return outcome


def _psnr(found: Any, image: Any) -> float:
    import numpy as np

    error = float(np.mean((found.astype(float) - image) ** 2))
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))
