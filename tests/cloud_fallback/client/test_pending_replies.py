"""Replies: to their callers, or late."""

from __future__ import annotations

import pytest

from tallylens.cloud_fallback.client import pending_replies as module
from tallylens.cloud_fallback.client.pending_replies import PendingReplies
from tallylens.cloud_fallback.wire.client_session import EncodedImage, PendingFrame
from tallylens.cloud_fallback.wire.messages import Result


def frame(sequence: int) -> PendingFrame:
    return PendingFrame(sequence, 0, 1.0, EncodedImage(b"", 1, 1))


def test_a_reply_goes_to_its_caller_once() -> None:
    replies, answer = PendingReplies(), Result(1, 1, 8)
    pending = replies.add(frame(1))
    assert replies.complete(answer) is None
    assert pending.reply.result(0) is answer
    assert replies.complete(answer) is None, "a repeated answer is nobody's"


def test_the_reply_of_an_abandoned_frame_is_late() -> None:
    replies, given = PendingReplies(), frame(1)
    pending = replies.add(given)
    replies.abandon(given)
    assert pending.reply.result(0) is None
    assert replies.complete(Result(1, 1, 8)) is given
    assert replies.complete(Result(1, 1, 8)) is None


def test_only_the_last_abandoned_frames_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ABANDONED", 2)
    replies = PendingReplies()
    for sequence in (1, 2, 3):
        replies.abandon(frame(sequence))
    late = [replies.complete(Result(sequence, 3, 8)) for sequence in (1, 2, 3)]
    assert [one is not None for one in late] == [False, True, True]


def test_at_the_end_nobody_waits_any_more() -> None:
    replies = PendingReplies()
    waits = [replies.add(frame(sequence)) for sequence in (1, 2)]
    replies.abandon_all()
    assert [one.reply.result(0) for one in waits] == [None, None]
