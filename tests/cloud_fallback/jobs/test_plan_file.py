"""Tests of the file of plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallylens.cloud_fallback.jobs.plan_file import parse_plans, read_plans, shipped_plans
from tallylens.edge_runtime.errors import InputError

PATH = Path("plans.toml")


def test_the_shipped_plans() -> None:
    plans = shipped_plans()
    assert plans.default == "free"
    assert list(plans.by_name) == ["free", "month", "year"]
    free = plans.by_name["free"]
    assert (free.videos, free.period_days, free.jobs_at_once, free.keep_days) == (5, None, 1, 7.0)
    assert (free.video.bytes, free.video.seconds, free.video.frames) == (512 << 20, 60.0, 14_400)


def test_a_plan_with_limits_of_its_videos() -> None:
    text = b'default = "a"\n[plans.a]\nvideos = 0\n[plans.a.video]\nseconds = 300\nside = 1920\n'
    plan = parse_plans(PATH, text).by_name["a"]
    assert (plan.name, plan.videos) == ("a", 0)
    assert (plan.video.seconds, plan.video.side, plan.video.fps) == (300.0, 1920, 240.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\xff", "not TOML"),
        (b"plans = 1", "plans is not a table"),
        (b"other = 1", "'other' is unknown"),
        (b"[plans.a]", "default is not the name of one of its plans"),
        (b'default = "b"\n[plans.a]', "default is not the name of one of its plans"),
        (b'default = "a"\n[plans]\na = 1', "plans.a is not a table"),
        (b'default = "a"\n[plans.a]\nname = "b"', "plans.a.name is unknown"),
        (b'default = "a"\n[plans.a]\nvideos = true', "plans.a.videos is not a whole number"),
        (b'default = "a"\n[plans.a]\nvideos = -1', "plans.a.videos is not a whole number"),
        (b'default = "a"\n[plans.a]\nkeep_days = nan', "plans.a.keep_days is not a number"),
        (b'default = "a"\n[plans.a]\nkeep_days = 0', "plans.a.keep_days is not a number"),
        (b'default = "a"\n[plans.a.video]\nbytes = 1.5', "plans.a.video.bytes is not a whole"),
        (b"x" * (1 << 21), "too large"),
    ],
)
def test_files_that_are_refused(text: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_plans(PATH, text)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_plans(tmp_path / "missing.toml")
