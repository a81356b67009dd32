"""Tests of the connection to a cluster."""

from __future__ import annotations

import importlib.util

import pytest

from tallylens.cloud_fallback.cluster.local_cluster import connect_to
from tallylens.edge_runtime.errors import UnavailableError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs tallylens[cluster]"),
]


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """For one that does not answer, Ray itself tries again for minutes."""
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    with pytest.raises(UnavailableError, match="the cluster of RAY_ADDRESS cannot be reached"):
        connect_to()
