"""Tests of the options of a job: those of `tallylens count`, with its words, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens.cloud_fallback.jobs.job_options import JobOptions
from tallylens.edge_runtime.errors import UsageError
from tests.conftest import Outcome

ZONE = "0,0,0.5,0,0.5,0.5"


def refused(document: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as error:
        JobOptions.of(document)
    return str(error.value)


@pytest.mark.parametrize(
    ("option", "name", "text"),
    [
        ("--line", "lines", "0,0.5"),
        ("--zone", "zones", "0,0,1,1"),
        ("--ignore", "ignore", "0,0,1,1"),
        ("--ignore", "ignore", "0,0,x,1,1,1"),
        ("--ignore", "ignore", "0,0,1,0,0.5,0"),
        ("--ignore", "ignore", f"{ZONE},street,dwell=3"),
    ],
)
def test_the_words_are_those_of_the_command(
    tallylens: Callable[..., Outcome], tmp_path: Path, option: str, name: str, text: str
) -> None:
    source = tmp_path / "street.mp4"
    source.write_bytes(b"not read before the options")
    outcome = tallylens("count", source, f"{option}={text}")
    assert outcome.status == 2
    assert refused({name: [text]}) in outcome.err


def test_sizes() -> None:
    options = JobOptions.of({"ignore": [ZONE], "min_size": 0.05, "max_size": 400})
    counting = options.counting()
    assert (counting["min_size"], counting["max_size"]) == (0.05, 400.0)
    assert [zone.points for zone in counting["ignore"]] == [((0, 0), (0.5, 0), (0.5, 0.5))]
    assert refused({"min_size": 0}) == (
        "the minimum size is 0. Use a fraction of the frame's shorter side, or pixels."
    )
    for value in (-1, float("nan"), float("inf"), 1e300):
        assert refused({"max_size": value}).startswith("the maximum size is ")
    others: tuple[Any, ...] = ("0.1", True, [1], {})
    for other in others:
        assert refused({"min_size": other}).startswith("the option min_size is not a number")


def test_the_same_document_comes_back() -> None:
    given = {"ignore": [ZONE], "min_size": 0.05, "lines": ["0,0.5,1,0.5"], "classes": ["car"]}
    options = JobOptions.of(given)
    assert JobOptions.parse(options.to_json()) == options
    assert json.loads(options.to_json())["ignore"] == [ZONE]


def test_what_decides_the_report_decides_the_digest() -> None:
    plain = JobOptions()
    changed: list[dict[str, Any]] = [{"ignore": [ZONE]}, {"min_size": 3}, {"max_size": 3}]
    digests = [JobOptions.of(one).digest() for one in changed]
    assert len({plain.digest(), *digests}) == 4
    assert JobOptions.of({"deadline_s": 5}).digest() == plain.digest()


def test_digests_of_the_version_before_are_the_same() -> None:
    """A count of then is found again, so that the same video is not counted twice."""
    old = (
        '{"annotated":false,"any_class":false,"classes":null,"deadline_s":1200.0,'
        '"lines":["0,0.5,1,0.5"],"zones":[]}'
    )
    options = JobOptions.parse(old)
    assert options.to_json() == old
    assert options.digest() == "d1c6dadd5ba93d56adb6fb3e200b3f83f3a25e7bc77d82287bb35a5b07c2db89"
