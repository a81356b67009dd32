"""Real receivers that are away for two seconds; `benchmarks/sinks_away.py` has longer times."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "sinks_away.py"
AWAY_S = 2.0


@pytest.fixture(scope="module")
def measure() -> Any:
    spec = importlib.util.spec_from_file_location("sinks_away", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.measure


def need(receiver: str) -> None:
    if receiver == "mqtt":
        pytest.importorskip("paho.mqtt")
        if shutil.which("mosquitto") is None and not Path("/usr/sbin/mosquitto").exists():
            pytest.skip("mosquitto is not installed")


@pytest.mark.parametrize("receiver", ["mqtt", "webhook", "sqlite"])
def test_a_receiver_that_is_away_loses_nothing(measure: Any, receiver: str, tmp_path: Path) -> None:
    need(receiver)
    row = measure(receiver, AWAY_S, tmp_path)
    assert row["counts as without"]
    assert row["events"] == row["received"] == 32
    assert row["warnings"] == []
    if receiver != "sqlite":
        # SQLite itself waits five seconds for a lock.
        gone, back = row["notices"]
        assert gone.endswith("events wait and are sent later")
        assert back.endswith("delivery resumed")


@pytest.mark.parametrize("receiver", ["mqtt", "webhook"])
def test_a_queue_that_is_full_drops_the_oldest_and_says_how_many(
    measure: Any, receiver: str, tmp_path: Path
) -> None:
    need(receiver)
    row = measure(receiver, AWAY_S, tmp_path, full=True)
    assert row["counts as without"]
    assert 0 < row["dropped, said"] < 20
    assert row["received"] == row["events"] - row["dropped, said"]
    (warning,) = row["warnings"]
    assert warning.endswith(f"{row['dropped, said']} events were dropped, because 8 others waited")
