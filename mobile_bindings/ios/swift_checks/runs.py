"""Steps that run the counter as a program: killed, handed on, live, and beside Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from step_runner.outcome import Outcome, require

from . import tools

LIVE_SECONDS = 6
# Pages that the allocator keeps while it settles.
LIVE_KIB = 2048


def program() -> Path:
    """TallyLensConformance, built."""
    tools.package("build", "--product", "TallyLensConformance")
    return tools.BUILD / "package" / "debug" / "TallyLensConformance"


def killed() -> Outcome:
    """kill -9 at twenty random moments: every state resumes, and nothing is counted twice."""
    words = json.dumps([str(program()), "walk"])
    result = _json("-m", "tests.support.android_kill", words, tools.BUILD)
    total, truth, lost = result["total"], result["truth"], result["lost_s"]
    # One person crosses each second; one who was in view at a kill may be lost with it.
    least = truth - lost - result["killed"]
    # The first process has nothing to resume, and those that were killed before the first save.
    return (
        require(result["resumed"] >= result["killed"] - 2, f"resumed {result['resumed']} times")
        + require(least <= total <= truth, f"{total} of {truth} counted, {lost} s lost")
        + Outcome(notes=(f"{total} of {truth} counted after {result['killed']} kills",))
    )


def states() -> Outcome:
    """A count goes from Kotlin to Swift to Python and round again: the totals are those of one."""
    kotlin = _json("-m", "tests.support.kotlin_walk")
    commands = {"kotlin": kotlin, "swift": [str(program()), "walk"]}
    result = _json("-m", "tests.support.phone_states", json.dumps(commands), tools.BUILD)
    outcome = Outcome()
    for turn in result["turns"]:
        note = f"{turn['by']} counted {turn['total']}, not {turn['truth']}"
        outcome += require(turn["total"] == turn["truth"] > 0, note)
    return outcome


def live() -> Outcome:
    """A camera of 30 fps before a model of 80 ms, and nobody reads: nothing is lost unsaid."""
    result = json.loads(tools.run([program(), "live", LIVE_SECONDS]))
    told = result["counted"] + result["dropped"] + result["skipped"]
    grown = result["late_kib"] - result["early_kib"]
    return (
        require(result["offered"] == told, f"{result}: frames are missing")
        + require(result["dropped"] > result["counted"] / 2, f"{result}: nothing was dropped")
        + require(result["crossed"] == result["truth"] > 0, f"{result}: crossings are missing")
        + require(grown <= LIVE_KIB, f"the memory grew by {grown} KiB")
    )


def same_as_python() -> Outcome:
    """Swift's detections, events and report of the demo's street are Python's, to the bit."""
    return _same("demo")


def wide() -> Outcome:
    """In frames of 32:9 the input is a strip in Swift, Kotlin and Python, with equal results."""
    tools.BUILD.mkdir(parents=True, exist_ok=True)
    frames = tools.BUILD / "wide.tlfr"
    tools.python("-m", "tests.support.frame_file", "demo", frames, WIDE_ROWS)
    return _same(frames, "--kotlin")


# Of the 360 rows of the demo's street: where its objects are.
WIDE_ROWS = "120:300"


def _same(video: object, *options: str) -> Outcome:
    model = tools.REPOSITORY / "sdk" / "built_in" / "tallylens-demo-int8.tflite"
    regions = ["--line", "0,0.6,1,0.6", "--zone", "0.2,0.4,0.8,0.4,0.8,1,0.2,1"]
    script = tools.REPOSITORY / "benchmarks" / "ios.py"
    result = _json(script, video, model, *regions, *options, "--runs", "1", "--debug", "--json")
    note = f"{result['detections']} detections and {result['events']} events compared"
    fits = result["input_matters"] or not options
    return (
        require(result["identical"] and result["events"] > 5, str(result))
        + require(fits, "the whole input gives the same, so that nothing is shown")
        + Outcome(notes=(note,))
    )


def _json(*arguments: object) -> Any:
    """The last line that a Python program of this repository prints, read as JSON."""
    return json.loads(tools.python(*arguments).splitlines()[-1])
