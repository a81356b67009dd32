"""Runs the steps of a check by name and adds up what passed."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping

from .outcome import Outcome

Step = Callable[[], Outcome]


class MissingToolError(Exception):
    """Something that the check needs is not on this machine; the message says how to get it."""


def main(arguments: list[str], steps: Mapping[str, Step], on_demand: Collection[str] = ()) -> int:
    """Run the steps that are named, or all but those `on_demand`; the exit status."""
    if arguments == ["--list"]:
        print("\n".join(steps))
        return 0
    unknown = [name for name in arguments if name not in steps]
    if unknown:
        print(f"unknown step {unknown[0]}; steps: {', '.join(steps)}", file=sys.stderr)
        return 2
    total = Outcome()
    for name in arguments or [name for name in steps if name not in on_demand]:
        total += _run(name, steps[name])
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


def _run(name: str, step: Step) -> Outcome:
    started = time.monotonic()
    try:
        outcome = step()
    except subprocess.CalledProcessError as error:
        command = re.sub(r"\s+", " ", " ".join(map(str, error.cmd)))[:200]
        output = (error.stdout or "") + (error.stderr or "")
        outcome = Outcome(failed=1, notes=(f"{command}\n{output[-6000:]}",))
    except MissingToolError as error:
        outcome = Outcome(failed=1, notes=(str(error),))
    seconds = time.monotonic() - started
    print(f"{name}: {outcome.passed} passed, {outcome.failed} failed ({seconds:.0f} s)", flush=True)
    for note in outcome.notes:
        print(f"  {note}", flush=True)
    return outcome
