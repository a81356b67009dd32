"""All steps by name, in their order."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from step_runner.outcome import Outcome, require

from . import builds, kotlin_steps, native_steps, places
from .android_syntax import android_syntax

SUMMARY = re.compile(r"OK \((\d+) tests?\)|Tests run: (\d+),\s+Failures: (\d+)")


def native() -> Outcome:
    """The native library builds without a warning."""
    return require(builds.native().is_file(), "no library")


def kotlin() -> Outcome:
    """The modules compile without a warning."""
    return require(builds.core().is_file(), "no core") + require(builds.desktop().is_file(), "none")


def unit_tests() -> Outcome:
    """The unit tests and conformance vectors, on the JVM."""
    kotlin_steps.tests()
    builds.street()
    others = kotlin_steps.test_jars()
    return junit(builds.java_command(builds.native(), *builds.STEADY, others=others))


def junit(command: list[str | Path]) -> Outcome:
    """Run all test classes with the `java` command given."""
    classes = sorted(
        ".".join(file.relative_to(module / "src" / "test" / "kotlin").with_suffix("").parts)
        for module in places.MODULES
        for file in (module / "src" / "test" / "kotlin").rglob("*Test.kt")
        if file.name != "MisuseTest.kt"  # in steps of its own
    )
    words = [str(word) for word in [*command, "org.junit.runner.JUnitCore", *classes]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = SUMMARY.search(done.stdout)
    if found is None:
        return Outcome(failed=1, notes=((done.stdout + done.stderr)[-6000:],))
    if found.group(1):
        return Outcome(passed=int(found.group(1)))
    failed = int(found.group(3))
    return Outcome(int(found.group(2)) - failed, failed, (done.stdout[-6000:],))


STEPS: dict[str, Callable[[], Outcome]] = {
    "native": native,
    "kotlin": kotlin,
    "unit-tests": unit_tests,
    "android": kotlin_steps.android,
    "sample": kotlin_steps.sample,
    "guide": kotlin_steps.guide,
    "api": kotlin_steps.api,
    "misuse": native_steps.misuse,
    "cloud": native_steps.cloud,
    "killed": native_steps.killed,
    "sanitized": native_steps.sanitized,
    "leaks": native_steps.leaks,
    "tidy": native_steps.tidy,
    "xcheck": native_steps.xcheck,
    "arm64": native_steps.arm64,
    "android-syntax": android_syntax,
    "same-as-python": native_steps.same_as_python,
    "litert-versions": native_steps.litert_versions,
}
