"""Bandwidth, round trip and debt of simulated links."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.cloud_fallback.client.link_estimate import LINK_SHARE, LinkEstimate


def test_a_moving_mean_begins_with_its_first_sample() -> None:
    link = LinkEstimate()
    link.welcomed(4.0)
    assert (link.rtt.mean, link.rtt.p95, link.rtt.samples) == (4.0, 4.0, 1)
    for _ in range(100):
        link.welcomed(8.0)
    assert link.rtt.mean == pytest.approx(8.0, abs=0.01)


@given(
    st.floats(1e4, 1e8),
    st.floats(0.0, 0.3),
    st.floats(0.0, 0.2),
    st.integers(1, 8),
    st.integers(1000, 200_000),
)
def test_bandwidth_is_found_with_any_number_of_frames_under_way(
    rate: float, rtt_s: float, server_s: float, window: int, size: int
) -> None:
    """A link of one rate, simulated frame by frame; the server keeps each frame for a while."""
    link = LinkEstimate()
    link.welcomed(rtt_s)
    answers: list[tuple[int, float]] = []
    sends, arrived = 0.0, 0.0
    for sequence in range(1, 60):
        if len(answers) >= window:
            number, when = answers.pop(0)
            sends = max(sends, when)
            link.answered(number, server_s, when)
        link.sent(sequence, size, sends)
        arrived = max(arrived, sends + rtt_s / 2) + size / rate
        answers.append((sequence, arrived + server_s + rtt_s / 2))
    measurable = min(rate, size / 1e-3)
    assert link.bandwidth.mean == pytest.approx(measurable, rel=0.1)
    assert link.server.mean == pytest.approx(server_s, abs=1e-9)
    expected = link.expected_s(size, 1e9)
    assert expected >= 0.9 * (server_s + size / rate)


def known_link(rate: float) -> LinkEstimate:
    link = LinkEstimate()
    link.welcomed(0.0)
    link.sent(1, int(rate), 0.0)
    link.answered(1, 0.0, 1.0)
    return link


def test_a_frame_waits_for_those_before_it() -> None:
    link = known_link(1000.0)
    assert link.expected_s(500, 10.0) == pytest.approx(0.5)
    link.sent(2, 2000, 10.0)
    link.sent(3, 1000, 10.0)
    assert link.expected_s(500, 11.0) == pytest.approx(2.0 + 0.5)
    link.connection_lost()
    assert link.expected_s(500, 11.0) == pytest.approx(0.5)


def test_who_waits_until_nothing_is_owed_uses_a_share_of_the_link() -> None:
    link, now, used = known_link(1000.0), 10.0, 0.0
    for number in range(2, 200):
        while link.link_debt_s(now) > 0:
            now += 0.001
        link.sent(number, 300, now)
        used += 0.3
    assert used / (now - 10.0) == pytest.approx(LINK_SHARE, abs=0.01)


def test_silence_is_measured_while_something_is_under_way() -> None:
    link = LinkEstimate()
    assert link.silent_s(9.0) == 0.0
    link.sent(1, 100, 10.0)
    link.sent(2, 100, 11.0)
    assert link.silent_s(13.0) == 3.0
    link.answered(2, 0.0, 13.0)
    assert link.silent_s(14.0) == 1.0
    link.connection_lost()
    assert link.silent_s(99.0) == 0.0
