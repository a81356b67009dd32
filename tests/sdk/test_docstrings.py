"""The examples in the docstrings of public classes run as they are printed."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

import tallylens
from tallylens.edge_runtime.counting.session import CountSession
from tallylens.edge_runtime.counting.sinks import FrameResult
from tallylens.edge_runtime.detection.model_variant import fitting_input
from tallylens.testing import FakeDetector

DOCUMENTED: list[Any] = [
    tallylens.Counter,
    tallylens.Line,
    tallylens.Zone,
    tallylens.Report,
    FrameResult,
    CountSession,
    FakeDetector,
    fitting_input,
]


@pytest.mark.parametrize("documented", DOCUMENTED, ids=lambda one: one.__name__)
def test_the_example_runs(documented: Any) -> None:
    finder = doctest.DocTestFinder(recurse=False)
    name = documented.__name__
    (example,) = finder.find(documented, name, globs={name: documented})
    assert example.examples
    failures: list[str] = []
    doctest.DocTestRunner().run(example, out=failures.append)
    assert not failures, "".join(failures)
