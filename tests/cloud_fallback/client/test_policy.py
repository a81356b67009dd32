"""Where frames go, and what the link is worth: rules without a network or a clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.cloud_fallback.client.benefit import features, predicted_reward
from tallylens.cloud_fallback.client.encoder import (
    BEST_JPEG,
    EXACT,
    LADDER,
    FrameEncoder,
)
from tallylens.cloud_fallback.client.frame_difference import changed_by, thumbnail
from tallylens.cloud_fallback.client.late_results import KEEP_S, LateResults
from tallylens.cloud_fallback.client.link_estimate import LINK_SHARE, Ewma, LinkEstimate
from tallylens.cloud_fallback.client.policy import (
    UNCHANGED,
    Decision,
    OffloadContext,
    Policy,
    static_reason,
)
from tallylens.cloud_fallback.wire.client_session import Picture
from tallylens.cloud_fallback.wire.frames import Codec
from tallylens.edge_runtime.core import Preprocessor
from tallylens.edge_runtime.types import Detections

GOOD = OffloadContext(
    reward=0.9,
    connected=True,
    credits_left=4,
    allowed=True,
    link_debt_s=0.0,
    silent_s=0.0,
    expected_s=0.1,
    deadline_s=0.5,
    local_s=0.01,
)
situations = st.builds(
    OffloadContext,
    reward=st.floats(0, 1),
    connected=st.booleans(),
    credits_left=st.integers(0, 8),
    allowed=st.booleans(),
    link_debt_s=st.just(0.0) | st.floats(0, 1),
    silent_s=st.floats(0, 2),
    expected_s=st.floats(0, 2),
    deadline_s=st.floats(0, 1),
    local_s=st.floats(0, 1),
    static_reason=st.sampled_from(["", "the file is done sooner there"]),
)


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({}, Decision("cloud", "worth it")),
        ({"reward": 0.0}, Decision("local", "not worth it")),
        ({"connected": False}, Decision("local", "no connection")),
        ({"silent_s": 0.6}, Decision("local", "the server is silent")),
        ({"credits_left": 0}, Decision("local", "no credit")),
        ({"allowed": False}, Decision("local", "no quota")),
        ({"expected_s": 0.495}, Decision("local", "too late for the deadline")),
        ({"link_debt_s": 0.01}, Decision("local", "the link has done its share")),
        ({"link_debt_s": 0.01, "static_reason": "it is small"}, Decision("cloud", "it is small")),
        ({"static_reason": "it is small", "reward": 0.0}, Decision("cloud", "it is small")),
    ],
)
def test_auto(changes: dict[str, object], decision: Decision) -> None:
    assert Policy("auto").decide(replace(GOOD, **changes)) == decision  # type: ignore[arg-type]


def test_only_auto_leaves_out_what_did_not_change() -> None:
    assert Policy("auto").skip_if_unchanged(UNCHANGED) == Decision("skip", "nothing changed")
    assert Policy("auto").skip_if_unchanged(UNCHANGED + 0.1) is None
    assert Policy("always").skip_if_unchanged(0.0) is None
    assert Policy("never").skip_if_unchanged(0.0) is None


@given(situations)
def test_never_and_always_keep_their_word(situation: OffloadContext) -> None:
    assert Policy("never").decide(situation).action == "local"
    decision = Policy("always").decide(situation)
    able = situation.connected and situation.credits_left and situation.allowed
    able = able and situation.silent_s <= situation.deadline_s
    assert (decision.action == "cloud") == bool(able)


@given(situations)
def test_auto_asks_only_for_what_can_come_in_time(situation: OffloadContext) -> None:
    decision = Policy("auto").decide(situation)
    assert decision.reason
    if decision.action == "cloud":
        assert situation.connected
        assert situation.credits_left > 0
        assert situation.allowed
        in_time = situation.expected_s + situation.local_s <= situation.deadline_s + 1e-9
        assert situation.static_reason or in_time


@given(st.integers(0, 2**32), st.floats(0.1, 0.6))
def test_the_best_frames_go_and_no_more_than_their_share(seed: int, share: float) -> None:
    rewards = np.random.default_rng(seed).random(600)
    policy = Policy("auto", share)
    sent = [policy.decide(replace(GOOD, reward=r)).action == "cloud" for r in rewards]
    assert np.mean(sent[100:]) == pytest.approx(share, abs=0.08)
    assert rewards[sent].mean() > rewards[~np.array(sent)].mean() + 0.2


def test_static_reasons() -> None:
    facts = {"model_bytes": 100, "memory_bytes": None, "live": True}
    assert static_reason(**facts, local_s=1, cloud_s=0.1) == ""
    small = facts | {"memory_bytes": 299}
    assert static_reason(**small, local_s=1, cloud_s=9) == "the model does not fit this device"
    file = facts | {"live": False}
    assert static_reason(**file, local_s=1, cloud_s=0.5) == "the file is done sooner there"
    assert static_reason(**file, local_s=1, cloud_s=0.9) == ""
    assert static_reason(**file, local_s=1, cloud_s=0) == ""


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32),
        table[:, 4].astype(np.float32),
        table[:, 5].astype(np.int32),
    )


def test_unsure_detections_promise_more_than_sure_ones() -> None:
    sure = found(*[(0, 0, 9, 9, 0.9, 0)] * 5)
    unsure = found(*[(0, 0, 9, 9, 0.3, 0)] * 5)
    assert features(sure).tolist() == [1, 0, 0, 0, 5**0.5]
    assert 0 <= predicted_reward(sure) < predicted_reward(unsure) <= 1
    assert 0 <= predicted_reward(Detections.empty()) <= 1


def test_a_late_answer_corrects_the_class_where_the_object_still_is() -> None:
    corrections = LateResults()
    here = found((0, 0, 10, 10, 0.6, 2), (50, 50, 60, 60, 0.6, 2))
    assert corrections.apply(here, 0.0) is here
    corrections.note(found((1, 0, 11, 10, 0.9, 7), (50, 50, 60, 60, 0.3, 7)), 1.0)
    corrected = corrections.apply(here, 1.5)
    assert corrected.class_id.tolist() == [7, 2]
    assert corrected.xyxy is here.xyxy
    assert (corrections.noted, corrections.applied) == (1, 1)
    assert corrections.apply(here, 1.0 + KEEP_S).class_id.tolist() == [2, 2]


def test_the_most_changed_part_counts() -> None:
    before = np.zeros((180, 320, 3), np.uint8)
    after = before.copy()
    after[100:110, 100:110] = 255
    assert changed_by(thumbnail(before), thumbnail(before)) == 0
    assert changed_by(thumbnail(before), thumbnail(after)) > 200


def test_a_moving_mean_begins_with_its_first_sample() -> None:
    mean = Ewma()
    mean.add(4.0)
    assert (mean.mean, mean.p95) == (4.0, 4.0)
    for _ in range(100):
        mean.add(8.0)
    assert mean.mean == pytest.approx(8.0, abs=0.01)


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
    link.greeted(rtt_s)
    sends, arrived, answers = 0.0, 0.0, []
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
    link.greeted(0.0)
    link.sent(1, int(rate), 0.0)
    link.answered(1, 0.0, 1.0)
    return link


def test_a_frame_waits_for_those_before_it() -> None:
    link = known_link(1000.0)
    assert link.expected_s(500, 10.0) == pytest.approx(0.5)
    link.sent(2, 2000, 10.0)
    link.sent(3, 1000, 10.0)
    assert link.expected_s(500, 11.0) == pytest.approx(2.0 + 0.5)
    link.lost()
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
    link.lost()
    assert link.silent_s(99.0) == 0.0


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)


def test_pictures_are_no_larger_than_the_model_sees() -> None:
    packer = FrameEncoder((384, 640), 1 << 20)
    packed: Picture = packer.pack(noise(1080, 1920))
    assert (packed.width, packed.height) == (640, 360)
    small = packer.pack(noise(100, 200))
    assert (small.width, small.height) == (200, 100)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32))
def test_an_exact_picture_is_what_the_device_would_see(height: int, width: int, seed: int) -> None:
    """The server's letterbox of what was sent is the device's letterbox of what was taken."""
    image = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    packed = FrameEncoder((96, 160), 1 << 20, top=EXACT, start=EXACT).pack(image)
    assert packed.codec is Codec.RAW
    sent = np.frombuffer(packed.data, np.uint8).reshape(packed.height, packed.width, 3)
    here, there = (np.empty((1, 96, 160, 3), np.uint8) for _ in range(2))
    Preprocessor().run(image, here, layout="NHWC")
    Preprocessor().run(np.ascontiguousarray(sent), there, layout="NHWC")
    assert np.array_equal(here, there)


def test_exact_pictures_need_a_link_and_a_server_that_take_them() -> None:
    image = noise(96, 160)
    packer = FrameEncoder((96, 160), 1 << 20, top=EXACT, start=EXACT)
    assert packer.pack(image).codec is Codec.RAW
    packer.adapt(image.nbytes * 2, 0.4)
    assert packer.pack(image).codec is Codec.JPEG
    packer.adapt(image.nbytes * 2, 0.8)
    assert packer.pack(image).codec is Codec.JPEG, "better, but not by enough"
    packer.adapt(image.nbytes * 2, 0.9)
    assert packer.pack(image).codec is Codec.RAW
    small = FrameEncoder((96, 160), image.nbytes - 1, top=EXACT, start=EXACT)
    assert small.pack(image).codec is Codec.JPEG
    small.adapt(1e9, 1.0)
    assert small.pack(image).codec is Codec.JPEG


def test_a_poor_link_gets_smaller_pictures_and_a_better_one_its_quality_back() -> None:
    packer = FrameEncoder((384, 640), 1 << 20)
    image = noise(360, 640)
    sizes = []
    for _ in range(len(LADDER) + 2):
        sizes.append(len(packer.pack(image).data))
        packer.adapt(1000.0, 0.1)
    assert packer.step == LADDER[-1]
    assert min(step.quality for step in LADDER[BEST_JPEG:]) == 40
    assert sizes[-1] < sizes[0] / 10
    for _ in range(len(LADDER) + 2):
        packer.pack(image)
        packer.adapt(1e9, 0.1)
    assert packer.step == LADDER[BEST_JPEG]
