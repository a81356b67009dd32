from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tallylens import MissingExtraError
from tallylens.edge_runtime.counting.reset_schedule import parse_schedule
from tallylens.sinks import open_sink
from tallylens.sinks.mqtt import PASSWORD
from tests.support.crossings import FRAMES_PER_CAR, count, push, session
from tests.support.mqtt_broker import Broker

pytest.importorskip("paho.mqtt")


@pytest.fixture
def broker() -> Iterator[Broker]:
    one = Broker()
    one.start()
    yield one
    one.stop()


def test_events_totals_and_status_are_published(broker: Broker) -> None:
    report = count(2, [open_sink(f"mqtt://127.0.0.1:{broker.port}/yard/north")])
    assert report.warnings == ()
    events = [json.loads(body) for body in broker.topics("yard/north/events")]
    assert [event["event"] for event in events].count("crossed_in") == 2
    assert len({event["id"] for event in events}) == 8
    assert json.loads(broker.topics("yard/north/totals")[-1])["lines"][0]["in"] == {"car": 2}
    assert broker.topics("yard/north/status") == [b"online", b"offline"]
    assert broker.wills == [("yard/north/status", b"offline")]
    retained = {topic for topic, _, kept in broker.messages if kept}
    assert retained == {"yard/north/totals", "yard/north/status"}


def test_periods_have_a_topic(broker: Broker) -> None:
    report = count(
        2,
        [open_sink(f"mqtt://127.0.0.1:{broker.port}")],
        schedule=parse_schedule("hourly@00"),
        starts_at=3_600_000_000_000 - 5_000_000_000,
    )
    (body,) = broker.topics("tallylens/periods")
    assert json.loads(body)["unique"] == report.periods[0].unique == {"car": 1}
    # The totals restart with the period.
    assert json.loads(broker.topics("tallylens/totals")[-1])["unique"] == {"car": 1}


def test_home_assistant_finds_the_sensors(broker: Broker) -> None:
    count(1, [open_sink(f"mqtt://127.0.0.1:{broker.port}/yard?discovery=homeassistant")])
    found = {
        topic: json.loads(body)
        for topic, body, _ in broker.messages
        if topic.startswith("homeassistant/")
    }
    assert list(found) == [
        f"homeassistant/sensor/yard/{name}/config"
        for name in ("unique", "line0_in", "line0_out", "zone0_now", "zone0_entered")
    ]
    sensor = found["homeassistant/sensor/yard/line0_in/config"]
    assert sensor["name"] == "gate in"
    assert sensor["state_topic"] == "yard/totals"
    assert sensor["value_template"] == "{{ value_json['lines'][0]['in'].values() | sum }}"


def test_a_broker_that_goes_away_and_returns_loses_nothing(broker: Broker) -> None:
    with session(2, [open_sink(f"mqtt://127.0.0.1:{broker.port}")]) as counting:
        push(counting, 0, FRAMES_PER_CAR)
        broker.stop()
        push(counting, FRAMES_PER_CAR, 2 * FRAMES_PER_CAR)
        broker.start()
        counting.conclude()
    assert counting.report().warnings == ()
    events = {json.loads(body)["id"] for body in broker.topics("tallylens/events")}
    assert len(events) == 8


def test_a_broker_that_refuses_the_password_is_said(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.password = "right"
    monkeypatch.setenv(PASSWORD, "hidden")
    sink = open_sink(f"mqtt://me@127.0.0.1:{broker.port}")
    sink._finish_s = 0.2
    (warning,) = count(1, [sink]).warnings
    assert "the broker refuses the connection: not authorized" in warning
    assert "hidden" not in repr((warning, sink.name, sink.key))
    monkeypatch.setenv(PASSWORD, "right")
    assert count(1, [open_sink(f"mqtt://me@127.0.0.1:{broker.port}")]).warnings == ()


def test_without_paho_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "paho.mqtt.client", None)
    with pytest.raises(MissingExtraError, match=r"tallylens\[mqtt\]"):
        open_sink("mqtt://host")
