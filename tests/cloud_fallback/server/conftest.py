"""Fixtures of the tests of the service."""

from __future__ import annotations

import pytest

from tallylens.edge_runtime.types import Image
from tests.support.squares import scene


@pytest.fixture
def image() -> Image:
    """A frame with one car and one person."""
    return scene(frames=5)[2]
