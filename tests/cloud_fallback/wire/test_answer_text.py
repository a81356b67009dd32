"""The text of an answer is that of the message, with nine digits."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.cloud_fallback.wire.answer_text import answer_text
from tallylens.cloud_fallback.wire.messages import Drain, Reject, Result, decode_server, encode

NUMBER = st.floats(-(2**30), 2**30, width=32)
ROW = st.tuples(NUMBER, NUMBER, NUMBER, NUMBER, st.floats(0, 1, width=32), st.integers(0, 9999))
MILLISECONDS = st.integers(0, 10**7).map(lambda hundredths: hundredths / 100)


@settings(deadline=None)
@given(st.lists(ROW, max_size=20), MILLISECONDS, MILLISECONDS)
def test_a_client_reads_the_float32_numbers_that_were_written(
    rows: list[tuple[float, float, float, float, float, int]], queue_ms: float, work_ms: float
) -> None:
    result = Result(7, 5, 8, tuple(rows), queue_ms, work_ms)
    read = decode_server(answer_text(result))
    assert isinstance(read, Result)
    assert (read.sequence, read.ack, read.credits) == (7, 5, 8)
    assert (read.queue_ms, read.work_ms) == (queue_ms, work_ms)
    assert len(read.detections) == len(rows)
    for one, other in zip(read.detections, rows, strict=True):
        assert one[5] == other[5]
        assert np.array_equal(np.array(one[:5], np.float32), np.array(other[:5], np.float32))


def test_what_is_at_its_default_is_omitted_as_in_every_message() -> None:
    for message in (Result(1, 0, 8), Reject(1, 0, 8, "late"), Drain(2.0)):
        assert answer_text(message) == encode(message)
