"""The Android client against a real server, through a link with faults; for `check cloud`.

    python -m tests.support.android_cloud COMMAND FOLDER

COMMAND is a JSON list, the start of a command that runs a main class of the tests. Prints a JSON
document: for each run what was wrong with it, empty if nothing was.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tallylens import Line
from tallylens.built_in import DEMO
from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.client.offloader import Offloader, OffloadOptions
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.types import Image
from tests.support.faulty_link import FaultyLink
from tests.support.frame_file import read_frames, video_frames, write_frames

FRAMES = 120
SEEDS = (1, 2, 3)
PATIENCE_S = 240
# The log on the same pipe may begin before the end of that line.
SHOWN = re.compile(r"TALLYLENS_API_KEY=(\S+).*wss://localhost:(\d+).*--ca (\S+?\.pem)", re.DOTALL)


@contextmanager
def server(folder: Path) -> Iterator[tuple[int, str, str]]:
    """A server with the demo's model: its port, a key and the file of its CA."""
    command = [sys.executable, "-m", "tallylens", "serve", "--model", str(DEMO.path), "--dev"]
    process = subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TALLYLENS_HOME": str(folder / "home")},
    )
    assert process.stdout is not None
    try:
        shown = ""
        for line in process.stdout:
            shown += line
            found = SHOWN.search(shown)
            if found:
                key, port, ca = found.groups()
                has_read = _watch(process.stdout)
                _lift_limits(Path(ca).with_name("keys.toml"))
                if not has_read.wait(PATIENCE_S):
                    raise SystemExit("the server does not read its changed keys")
                yield int(port), key, ca
                return
        raise SystemExit(f"the server does not start: {shown[-2000:]}")
    finally:
        process.terminate()
        process.wait(30)


def _watch(log: Iterable[str]) -> threading.Event:
    """Read the server's log in a thread; the event is set when it has read its keys again."""
    has_read = threading.Event()

    def follow() -> None:
        for line in log:
            if "keys read" in line:
                has_read.set()

    threading.Thread(target=follow, daemon=True).start()
    return has_read


def _lift_limits(keys: Path) -> None:
    """Give the key a plan that a client without a camera's pace does not exceed."""
    plan = "[plans.test]\nframes_per_second = 10000\n\n"
    keys.write_text(plan + keys.read_text("utf-8").rstrip() + '\nplan = "test"\n', "utf-8")


def expected(frames: Path) -> dict[str, Any]:
    """The totals of a detector in this process with the server's model."""
    engine = open_engine(DEMO.path)
    detector = Detector(engine)
    first = next(iter(read_frames(frames)))[1]
    size = (first.shape[1], first.shape[0])
    totals = Totals(engine.metadata.class_names, size, lines=[Line(0.5, 0, 0.5, 1)])
    for timestamp_ns, image in read_frames(frames):
        totals.add(timestamp_ns, detector.detect(image))
    totals.conclude()
    return {"unique": totals.unique(), "lines": [one.as_dict() for one in totals.lines()]}


def still_frames(folder: Path) -> Path:
    """A third of the demo's frames, each three times: a model has to see one of the three."""
    frames = folder / "still.tlfr"

    def pictures() -> Iterator[tuple[int, Image]]:
        for _, (at, image) in zip(range(FRAMES // 3), video_frames(Path("demo")), strict=False):
            for copy in range(3):
                yield at + 11_000_000 * copy, image[::2, ::2]

    write_frames(frames, pictures())
    return frames


def skipped(frames: Path, port: int, key: str, ca: str) -> int:
    """How many of the frames the Python client sends to no model in mode `auto`."""
    engine = open_engine(DEMO.path)
    options = OffloadOptions(f"wss://localhost:{port}", Secret(key), "auto", Path(ca))
    offloader = Offloader([Detector(engine)], engine.metadata.class_names, options, live=False)
    try:
        offloader.start()
        for _, image in read_frames(frames):
            offloader.detect(image)
        return int(offloader.report()["frames"]["skip"])
    finally:
        offloader.close()


def still_problem(found: Any, skips: int) -> str:
    """The fault of a run with views that do not change; empty without one."""
    if "failed" in found:
        return str(found["failed"])
    frames = found["offload"]["frames"]
    if frames["skip"] != skips or skips < FRAMES // 2 or sum(frames.values()) != FRAMES:
        return f"{frames} of {FRAMES} frames, where the Python client skips {skips}"
    return ""


def disturb(link: FaultyLink, seed: int, over: threading.Event) -> None:
    """Cut, delay, duplicate and reorder what the link carries, again and again."""
    chance = random.Random(seed)
    while not over.wait(chance.uniform(0.3, 1.2)):
        fault = chance.choice(("cut", "delay", "duplicate", "reorder"))
        if fault == "cut":
            link.cut()
            time.sleep(chance.uniform(0.05, 0.4))
            link.heal()
        elif fault == "delay":
            link.delay_s = chance.uniform(0.0, 0.02)
        else:
            link.once(fault)


def client(command: list[str], frames: Path, port: int, key: str, ca: str, *more: str) -> Any:
    """Run a main class; its document."""
    arguments = [*command, str(frames), f"wss://localhost:{port}", ca, *more]
    environment = {**os.environ, "TALLYLENS_API_KEY": key}
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=PATIENCE_S, env=environment, check=False
    )
    return json.loads(done.stdout) if done.returncode == 0 else {"failed": done.stderr[-2000:]}


def problem(found: Any, truth: dict[str, Any]) -> str:
    """The fault of a run, empty without one."""
    if "failed" in found:
        return str(found["failed"])
    if found["answered"] != FRAMES or found["repeated"] or found["missing"]:
        return f"{found['answered']} answered, {found['repeated']} twice, {found['missing']}"
    counts = {key: found["report"][key] for key in truth}
    return "" if counts == truth else f"{counts}, not {truth}"


def offload_problem(found: Any, truth: dict[str, Any], least_cloud: int) -> str:
    """The fault of a run that counts as the device alone does; empty without one."""
    if "failed" in found:
        return str(found["failed"])
    frames = found["offload"]["frames"]
    if sum(frames.values()) != FRAMES or found["frames"] != FRAMES or frames["cloud"] < least_cloud:
        return f"{found['frames']} frames, {found['offload']}"
    counts = {key: found[key] for key in truth}
    return "" if counts == truth else f"{counts}, not {truth}"


@contextmanager
def faults(port: int, seed: int) -> Iterator[FaultyLink]:
    """A link to a port that is disturbed until the end."""
    link, over = FaultyLink(port), threading.Event()
    link.start()
    disturbing = threading.Thread(target=disturb, args=(link, seed, over))
    disturbing.start()
    try:
        yield link
    finally:
        over.set()
        disturbing.join()
        link.stop()


def main(command: list[str], folder: Path) -> dict[str, Any]:
    """All runs."""
    cloud, offload = ([*command, f"io.tallylens.jvm.{name}MainKt"] for name in ("Cloud", "Offload"))
    frames = folder / "cloud.tlfr"
    pictures = (one for _, one in zip(range(FRAMES), video_frames(Path("demo")), strict=False))
    # A quarter of the size: the client sends exact pixels.
    write_frames(frames, ((at, image[::2, ::2]) for at, image in pictures))
    truth, runs, notes = expected(frames), {}, []
    with server(folder) as (port, key, served):
        ca = str(shutil.copy(served, folder / "ca.pem"))  # longer than the server lives
        for kind in ("http", "okhttp"):
            runs[f"{kind}, no fault"] = problem(client(cloud, frames, port, key, ca, kind), truth)
            for seed in SEEDS:
                with faults(port, seed) as link:
                    found = client(cloud, frames, link.port, key, ca, kind)
                runs[f"{kind}, seed {seed}"] = problem(found, truth)
                notes.append(f"{kind}, seed {seed}: {link.connections} connections")
        always = (str(DEMO.path), "always", "raw")
        found = client(offload, frames, port, key, ca, *always)
        # All but the first, which measures the device's own model.
        runs["offload, no fault"] = offload_problem(found, truth, FRAMES - 1)
        found = client(offload, frames, port, key, ca, str(DEMO.path), "auto", "jpeg")
        runs["offload by reward"] = offload_problem({**found, **truth}, truth, 1)
        stills = still_frames(folder)
        found = client(offload, stills, port, key, ca, str(DEMO.path), "auto", "jpeg")
        runs["offload, still views"] = still_problem(found, skipped(stills, port, key, ca))
        with faults(port, SEEDS[0]) as link:
            found = client(offload, frames, link.port, key, ca, *always)
        runs["offload with faults"] = offload_problem(found, truth, 1)
    found = client(offload, frames, port, key, ca, *always)
    runs["offload, no server"] = offload_problem(found, truth, 0)
    return {"runs": runs, "notes": notes, "truth": truth}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), Path(sys.argv[2]))))
