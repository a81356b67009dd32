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


# Swift has no such sanitizer on Linux; undefined behavior in C++ ends the tests.
UNDEFINED = ("-Xcxx", "-fsanitize=undefined", "-Xcxx", "-fsanitize-trap=undefined")


def address() -> Outcome:
    """No access to memory that is not there, nothing of the core leaks, and C++ is well defined."""
    return _tests("address", *UNDEFINED)


def _tests(name: str, *options: str) -> Outcome:
    environment = {
        **os.environ,
        "TSAN_OPTIONS": "halt_on_error=1",
        # XCTest never frees its cases, nor what they hold: only leaks of the core count.
        "ASAN_OPTIONS": "detect_leaks=1",
        "LSAN_OPTIONS": "exitcode=0:max_leaks=0",
    }
    output = tools.package(
        "test",
        f"--sanitize={name}",
        *options,
        scratch=f"sanitized-{name}",
        environment=environment,
    )
    found = SUMMARY.findall(output)
    ran, failed = map(int, found[-1]) if found else (0, 1)
    findings = re.findall(r"WARNING: ThreadSanitizer|ERROR: AddressSanitizer", output)
    leaks = [block for block in output.split("\n\n") if "leak of" in block and "tally_" in block]
    return (
        Outcome(ran - failed, failed, (output[-6000:],) if failed else ())
        + require(not findings, output[-6000:])
        + require(not leaks, "leaks:\n" + "\n\n".join(leaks)[:6000])
    )
