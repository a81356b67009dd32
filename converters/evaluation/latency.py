"""The time of one inference of a TFLite file on this machine."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from ...edge_runtime.engines import open_engine
from ...edge_runtime.files import write_all

WARM_UP = 3
RUNS = 30


def median_ms(content: bytes) -> float:
    """Median milliseconds of one inference with one thread."""
    with tempfile.TemporaryDirectory(prefix="tallylens-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "model.tflite"
        write_all({path: content})
        with open_engine(path, num_threads=1) as engine:
            times = []
            for _ in range(WARM_UP + RUNS):
                engine.input[...] = 0
                started = time.perf_counter()
                engine.run()
                times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times[WARM_UP:])
