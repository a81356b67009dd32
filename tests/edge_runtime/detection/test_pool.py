from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tallylens import ModelError
from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detection.model_variant import ModelVariant
from tallylens.edge_runtime.detection.pool import DetectorPool


def test_each_worker_has_its_own_engine(tiny_model: Path) -> None:
    with DetectorPool([ModelVariant(tiny_model)], 3, DecoderOptions()) as pool:
        assert len({id(worker.engine) for worker in pool.workers}) == 3
        assert pool.sizes == ["128x128"]
        assert pool.model == tiny_model


def test_the_size_index_is_asked_for_each_frame(tiny_model: Path) -> None:
    """Two variants of one size, told apart by the detectors' own times."""
    image = np.zeros((96, 128, 3), np.uint8)
    with DetectorPool([ModelVariant(tiny_model)] * 2, 1, DecoderOptions()) as pool:
        (worker,) = pool.workers
        worker.detect(image)
        pool.size_index = lambda: 1
        worker.detect(image)
        worker.detect(image)
        assert [detector.timing.frames for detector in worker.detectors] == [1, 2]
        assert pool.timing().frames == 3


def test_a_file_that_is_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "no.tflite"
    path.write_bytes(b"\0\0\0\0TFL3")
    with pytest.raises(ModelError, match=r"no\.tflite"):
        DetectorPool([ModelVariant(path)], 1, DecoderOptions())
