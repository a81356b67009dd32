"""Runs the steps and adds up what passed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from . import tools
from .outcome import Outcome
from .steps import STEPS


def main(arguments: list[str]) -> int:
    """Run the steps that are named, or all; the exit status."""
    if arguments == ["--list"]:
        print("\n".join(STEPS))
        return 0
    unknown = [name for name in arguments if name not in STEPS]
    if unknown:
        print(f"unknown step {unknown[0]}; steps: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    total = Outcome()
    for name in arguments or STEPS:
        total += _run(name, STEPS[name])
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


def _run(name: str, step: Callable[[], Outcome]) -> Outcome:
    started = time.monotonic()
    try:
        outcome = step()
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))[:200]
        output = (error.stdout or "") + (error.stderr or "")
        outcome = Outcome(failed=1, notes=(f"{command}\n{output[-6000:]}",))
    except tools.MissingToolError as error:
        outcome = Outcome(failed=1, notes=(str(error),))
    seconds = time.monotonic() - started
    print(f"{name}: {outcome.passed} passed, {outcome.failed} failed ({seconds:.0f} s)", flush=True)
    for note in outcome.notes:
        print(f"  {note}", flush=True)
    return outcome
