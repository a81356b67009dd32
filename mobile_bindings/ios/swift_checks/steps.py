"""All steps by name, in their order."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from . import tools
from .outcome import Outcome, require

SUMMARY = re.compile(r"Executed (\d+) tests?, with (\d+) failures?")
VECTORS = re.compile(r"^vectors (\S+?)(?: (\w+))?: (\d+) cases$", re.MULTILINE)


def build() -> Outcome:
    """The package builds from its root without a warning, and can be a dependency."""
    output = tools.package("build")
    manifest = (tools.REPOSITORY / "Package.swift").read_text(encoding="utf-8")
    return require("warning:" not in output, output[-6000:]) + require(
        "unsafeFlags" not in manifest, "unsafeFlags make a package unusable as a dependency"
    )


def unit_tests() -> Outcome:
    """The unit tests, and as many conformance vectors as the files have."""
    output = tools.package("test")
    found = SUMMARY.findall(output)
    ran, failed = map(int, found[-1]) if found else (0, 1)
    outcome = Outcome(ran - failed, failed, (output[-6000:],) if failed else ())
    told = {(file, key): int(count) for file, key, count in VECTORS.findall(output)}
    return outcome + require(told == expected_vectors(), f"vectors that ran: {told}")


def expected_vectors() -> dict[tuple[str, str], int]:
    """The number of cases in each file of vectors."""
    counts = {}
    for name in ("counting.json", "governor.json"):
        document = json.loads((tools.CONFORMANCE / name).read_text(encoding="utf-8"))
        counts[(name, "")] = len(document["cases"])
    offload = json.loads((tools.CONFORMANCE / "offload.json").read_text(encoding="utf-8"))
    for key, cases in offload.items():
        if key != "version":
            counts[("offload.json", key)] = len(cases)
    return counts


STEPS: dict[str, Callable[[], Outcome]] = {
    "build": build,
    "unit-tests": unit_tests,
}
