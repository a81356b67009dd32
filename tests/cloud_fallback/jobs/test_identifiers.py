"""Tests of identifiers."""

from __future__ import annotations

import time

from tallylens.cloud_fallback.jobs.identifiers import derived_id, is_id, new_id, with_prefix


def test_identifiers_sort_by_time() -> None:
    made = []
    for _ in range(5):
        made.append(new_id("vid"))
        time.sleep(0.002)
    assert made == sorted(made)
    assert len(set(made)) == 5


def test_their_form() -> None:
    made = new_id("vid")
    assert is_id(made, "vid")
    assert not is_id(made, "job")
    assert not is_id("vid_" + "I" * 26, "vid")
    assert with_prefix("job", made) == "job_" + made[4:]


def test_a_derived_identifier_is_the_same_each_time() -> None:
    assert derived_id("acc", "front door") == derived_id("acc", "front door")
    assert derived_id("acc", "front door") != derived_id("acc", "back door")
    assert is_id(derived_id("acc", "front door"), "acc")
