"""The exchange of reports between the processes of a cluster."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tallylens.cloud_fallback.cluster.cluster_metrics import text_of
from tallylens.cloud_fallback.cluster.replica_board import SILENCE_S, ReplicaBoard, Report
from tallylens.cloud_fallback.server.key_use import KeyUse
from tallylens.cloud_fallback.server.metrics import Metrics

KEY = "a" * 64


def used(connections: int, frames: int, per_second: float = 0.0) -> Report:
    return Report({KEY: KeyUse(connections, frames, per_second)})


def test_each_process_hears_what_the_others_use() -> None:
    board = ReplicaBoard()
    assert board.exchange("a", used(2, 10, 5.0)).others == {}
    assert board.exchange("b", used(1, 4, 2.0)).others == {KEY: KeyUse(2, 10, 5.0)}
    assert board.exchange("c", Report()).others == {KEY: KeyUse(3, 14, 7.0)}
    # Frames are added up, connections and rates are those of the newest report.
    assert board.exchange("a", used(1, 5, 1.0)).others == {KEY: KeyUse(1, 4, 2.0)}
    assert board.exchange("b", Report()).others == {KEY: KeyUse(1, 15, 1.0)}


def test_a_process_that_ended_keeps_its_frames_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    now, day = [0.0], [86400.0 * 20_000]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.time", lambda: day[0])
    board = ReplicaBoard()
    board.exchange("a", used(2, 10, 5.0))
    now[0] = SILENCE_S + 1
    assert board.exchange("b", Report()).others == {KEY: KeyUse(0, 10, 0.0)}
    day[0] += 86400
    assert board.exchange("b", Report()).others == {}


def test_a_planned_end_waits_for_every_process() -> None:
    board = ReplicaBoard()
    assert not board.exchange("a", Report()).draining
    board.drain()
    assert board.exchange("a", Report()).draining
    assert not board.drained()
    board.exchange("a", Report(drained=True))
    assert board.drained()


def test_the_page_of_all_has_each_metric_once_with_all_replicas() -> None:
    reports = {}
    for name, size in (("a", 1), ("b", 3)):
        metrics = Metrics()
        metrics.batch(size, [0.1])
        reports[name] = list(metrics.registry.collect())
    text = text_of(reports).decode()
    families = {one.name: one for one in text_string_to_metric_families(text)}
    assert text.count("# TYPE tallylens_batch_size histogram") == 1
    sums = {
        sample.labels["replica"]: sample.value
        for sample in families["tallylens_batch_size"].samples
        if sample.name == "tallylens_batch_size_sum"
    }
    assert sums == {"a": 1.0, "b": 3.0}
