from __future__ import annotations

import pytest

from tallylens import UsageError
from tallylens.edge_runtime.rate_control.adaptive_sampling import AdaptiveSampler
from tallylens.edge_runtime.rate_control.governor import Governor
from tallylens.edge_runtime.rate_control.rate_limits import RateLimits


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_fps": 0.0}, "max_fps is 0. Use a number above 0."),
        ({"budget_ms": -1.0}, "budget_ms is -1. Use a number above 0."),
        ({"sample": "some"}, "sample is 'some'. Use 'all' or 'auto'."),
    ],
)
def test_limits_that_are_refused(limits: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        RateLimits(**limits)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("sample", "kinds"), [("all", [Governor]), ("auto", [Governor, AdaptiveSampler])]
)
def test_the_filters_that_are_asked_for(sample: str, kinds: list[type]) -> None:
    limits = RateLimits(budget_ms=10, sample=sample)
    filters = limits.filters(limits.governor(["640x640"]))
    assert [type(one) for one in filters] == kinds
