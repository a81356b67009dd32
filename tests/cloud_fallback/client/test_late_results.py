"""Late results: classes are corrected, boxes stay."""

from __future__ import annotations

from tallylens.cloud_fallback.client.late_results import KEEP_S, LateResults
from tests.support.detections import detections


def test_a_late_answer_corrects_the_class_where_the_object_still_is() -> None:
    late_results = LateResults()
    here = detections((0, 0, 10, 10, 0.6, 2), (50, 50, 60, 60, 0.6, 2))
    assert late_results.apply(here, 0.0) is here
    late_results.note(detections((1, 0, 11, 10, 0.9, 7), (50, 50, 60, 60, 0.3, 7)), 1.0)
    corrected = late_results.apply(here, 1.5)
    assert corrected.class_id.tolist() == [7, 2]
    assert corrected.xyxy is here.xyxy
    assert (late_results.noted, late_results.applied) == (1, 1)
    assert late_results.apply(here, 1.0 + KEEP_S).class_id.tolist() == [2, 2]
