"""A file writer and a small net of `tests.support.torch_checkpoint`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.torch_checkpoint import SmallNet, TorchFile


@pytest.fixture
def torch_file() -> TorchFile:
    return TorchFile()


@pytest.fixture
def small_net(torch_file: TorchFile) -> SmallNet:
    return SmallNet(torch_file)


@pytest.fixture
def small_checkpoint(small_net: SmallNet, tmp_path: Path) -> Path:
    model = small_net.model(lambda net: net.conv(4, 4), names=["cat", "dog"])
    return small_net.file.save(tmp_path / "small.pt", {"epoch": -1, "model": model, "ema": None})
