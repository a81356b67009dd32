"""Steps that run the unit tests with sanitizers; each builds the package once more.

The tests make and free 10,000 counters, and submit, save, read and close from several threads.
"""

from __future__ import annotations

import os
import re

from step_runner.outcome import Outcome, require

from . import tools

SUMMARY = re.compile(r"Executed (\d+) tests?, with (\d+) failures?")


def thread() -> Outcome:
    """No data race."""
    return _tests("thread")


def address() -> Outcome:
    """No access to memory that is not there, no leak, and nothing that C++ does not define."""
    return _tests("address", "undefined")


def _tests(*names: str) -> Outcome:
    options = [f"--sanitize={name}" for name in names]
    environment = {
        **os.environ,
        "TSAN_OPTIONS": "halt_on_error=1",
        "ASAN_OPTIONS": "detect_leaks=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }
    output = tools.package(
        "test", *options, scratch=f"sanitized-{names[0]}", environment=environment
    )
    found = SUMMARY.findall(output)
    ran, failed = map(int, found[-1]) if found else (0, 1)
    findings = re.findall(r"WARNING: ThreadSanitizer|ERROR: \w+Sanitizer|runtime error", output)
    return Outcome(ran - failed, failed, (output[-6000:],) if failed else ()) + require(
        not findings, output[-6000:]
    )
