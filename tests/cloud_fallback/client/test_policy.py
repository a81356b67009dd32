"""Where a frame goes: rules as a table, and what holds whatever the link does."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.cloud_fallback.client.policy import (
    TOO_BIG,
    UNCHANGED,
    Decision,
    DecisionLog,
    OffloadContext,
    Policy,
    static_reason,
)
from tallylens.edge_runtime.errors import UsageError

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


contexts = st.builds(
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
    silence_limit_s=st.floats(0, 2),
    smallest=st.booleans(),
    measuring=st.booleans(),
    waiting_s=st.just(math.inf) | st.floats(0, 1),
)


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({}, Decision("cloud", "worth it")),
        ({"reward": 0.0}, Decision("local", "not worth it")),
        ({"connected": False}, Decision("local", "no connection")),
        ({"silent_s": 0.6}, Decision("local", "the server is silent")),
        ({"silent_s": 0.4, "silence_limit_s": 0.3}, Decision("local", "the server is silent")),
        ({"measuring": True}, Decision("local", "the link is being measured")),
        ({"waiting_s": 0.05}, Decision("local", "the file would end later")),
        (
            {"waiting_s": 0.05, "static_reason": TOO_BIG},
            Decision("local", "the file would end later"),
        ),
        ({"credits_left": 0}, Decision("local", "no credit")),
        ({"allowed": False}, Decision("local", "no quota")),
        ({"expected_s": 0.495}, Decision("local", "too late for the deadline")),
        ({"link_debt_s": 0.01}, Decision("local", "the link has done its share")),
        ({"link_debt_s": 0.01, "static_reason": TOO_BIG}, Decision("cloud", TOO_BIG)),
        ({"static_reason": TOO_BIG, "reward": 0.0}, Decision("cloud", TOO_BIG)),
    ],
)
def test_auto(changes: dict[str, object], decision: Decision) -> None:
    assert Policy("auto").decide(replace(GOOD, **changes)) == decision  # type: ignore[arg-type]


def late(context: OffloadContext) -> bool:
    """Whether the answer is expected too late for the deadline."""
    return context.expected_s > context.deadline_s - context.local_s


def test_a_mode_that_is_not_known() -> None:
    with pytest.raises(UsageError, match="Use one of never, auto, always"):
        Policy("sometimes")  # type: ignore[arg-type]


def test_only_auto_leaves_out_what_did_not_change() -> None:
    assert Policy("auto").skip_if_unchanged(UNCHANGED) == Decision("skip", "nothing changed")
    assert Policy("auto").skip_if_unchanged(UNCHANGED + 0.1) is None
    assert Policy("always").skip_if_unchanged(0.0) is None
    assert Policy("never").skip_if_unchanged(0.0) is None


@given(contexts)
def test_never_and_always_keep_their_word(context: OffloadContext) -> None:
    assert Policy("never").decide(context).action == "local"
    decision = Policy("always").decide(context)
    able = context.connected and context.credits_left and context.allowed
    able = able and context.silent_s <= min(context.deadline_s, context.silence_limit_s)
    able = able and not (late(context) and context.smallest) and not context.measuring
    assert (decision.action == "cloud") == bool(able)


@given(contexts)
def test_auto_asks_only_for_what_can_come_in_time(context: OffloadContext) -> None:
    decision = Policy("auto").decide(context)
    assert decision.reason
    if decision.action == "cloud":
        assert context.connected
        assert context.credits_left > 0
        assert context.allowed
        in_time = context.expected_s + context.local_s <= context.deadline_s + 1e-9
        assert context.static_reason or in_time
        assert context.expected_s <= context.waiting_s


@given(st.integers(0, 2**32), st.floats(0.1, 0.6))
def test_the_best_frames_go_and_no_more_than_their_share(seed: int, share: float) -> None:
    rewards = np.random.default_rng(seed).random(600)
    policy = Policy("auto", share)
    sent = [policy.decide(replace(GOOD, reward=r)).action == "cloud" for r in rewards]
    assert np.mean(sent[100:]) == pytest.approx(share, abs=0.08)
    assert rewards[sent].mean() > rewards[~np.array(sent)].mean() + 0.2


def test_decisions_are_counted_by_action_and_reason() -> None:
    log = DecisionLog(deadline_s=0.1)
    for reason, seconds in (("no quota", 0.01), ("no quota", 0.25), ("no credit", 0.02)):
        log.add(Decision("local", reason), seconds)
    assert log.report() == {
        "frames": {"local": 3, "cloud": 0, "skip": 0},
        "decisions": [
            {"action": "local", "reason": "no quota", "frames": 2},
            {"action": "local", "reason": "no credit", "frames": 1},
        ],
        "deadline_ms": 100,
        "missed_deadlines": 1,
        "longest_frame_ms": 250.0,
    }


def test_static_reasons() -> None:
    facts: dict[str, Any] = {"model_bytes": 100, "memory_bytes": None, "live": True}
    assert static_reason(**facts, local_s=1, cloud_s=0.1) == ""
    small = facts | {"memory_bytes": 299}
    assert static_reason(**small, local_s=1, cloud_s=9) == "the model does not fit this device"
    file = facts | {"live": False}
    assert static_reason(**file, local_s=1, cloud_s=0.5) == "the file is done sooner there"
    assert static_reason(**file, local_s=1, cloud_s=0.9) == ""
    assert static_reason(**file, local_s=1, cloud_s=0) == ""
