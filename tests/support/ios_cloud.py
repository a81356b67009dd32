"""The Swift client against a real server, through a link with faults; for `check cloud`.

    python -m tests.support.ios_cloud PROGRAM LITERT FOLDER SEEDS

PROGRAM is TallyLensConformance. Frames, server, faults and seeds are those of the Android client;
SEEDS are separated by commas, and 0 is a link without faults. Runs `cloud` let the server detect
every frame, runs `offload` are of a counter with the server's own model. Prints a JSON document:
for each run what was wrong with it, empty if nothing was, and the figures to show.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tallylens.built_in import DEMO
from tallylens.edge_runtime.files import sha256
from tests.support import android_cloud as shared
from tests.support.faulty_link import FaultyLink
from tests.support.frame_file import video_frames, write_frames
from tests.support.tls_hop import TlsHop

PACE_FPS = 30


@contextmanager
def faulty(port: int, ca: str, seed: int) -> Iterator[tuple[str, FaultyLink]]:
    """The address of a way to the server with TLS, and with faults unless `seed` is 0."""
    link, over = FaultyLink(port), threading.Event()
    link.start()
    hop = TlsHop(link.port, Path(ca))
    hop.start()
    faults = threading.Thread(target=shared.disturb, args=(link, seed, over))
    if seed:
        faults.start()
    try:
        yield f"ws://127.0.0.1:{hop.port}", link
    finally:
        over.set()
        if seed:
            faults.join()
        hop.stop()
        link.stop()


def run(words: list[str], key: str) -> Any:
    """The document that the program prints."""
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=shared.PATIENCE_S,
        env={**os.environ, "TALLYLENS_API_KEY": key},
        check=False,
    )
    if done.returncode:
        return {"failed": f"status {done.returncode}: {done.stderr[:600]}"}
    return json.loads(done.stdout)


def offload_problem(report: Any, truth: dict[str, Any]) -> str:
    """The fault of a count that a server took part in, empty without one."""
    if "failed" in report:
        return str(report["failed"])
    counts = {key: report[key] for key in truth}
    offload = report["offload"]
    if counts != truth:
        return f"{counts}, not {truth}"
    if sum(offload["frames"].values()) != shared.FRAMES or report["frames"] != shared.FRAMES:
        return f"{offload['frames']} of {shared.FRAMES} frames"
    return "" if offload["frames"]["cloud"] else f"nothing came from the server: {offload}"


def demo_frames(folder: Path) -> Path:
    """The first frames of the demo in a quarter of their size: the client sends exact pixels."""
    frames = folder / "cloud.tlfr"
    pictures = zip(range(shared.FRAMES), video_frames(Path("demo")), strict=False)
    write_frames(frames, ((at, image[::2, ::2]) for _, (at, image) in pictures))
    return frames


def main(program: str, litert: str, folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """All runs."""
    frames = demo_frames(folder)
    truth = shared.expected(frames)
    rows: list[dict[str, Any]] = []
    offload = ["--litert", litert, "--digest", sha256(DEMO.path), "--fps", str(PACE_FPS)]
    kinds: dict[str, tuple[Callable[[str], list[str]], Callable[..., str]]] = {
        "cloud": (lambda url: ["cloud", str(frames), url], shared.problem),
        "offload": (
            lambda url: ["offload", str(frames), str(DEMO.path), url, "always", *offload],
            offload_problem,
        ),
    }
    with shared.server(folder) as (port, key, ca):
        for kind, (words, problem) in kinds.items():
            for seed in seeds:
                started = time.monotonic()
                with faulty(port, ca, seed) as (url, link):
                    found = run([program, *words(url)], key)
                rows.append(
                    {
                        "run": f"{kind}, seed {seed}",
                        "problem": problem(found, truth),
                        "connections": link.connections,
                        "frames": found.get("offload", {}).get("frames", found.get("answered")),
                        "seconds": round(time.monotonic() - started, 1),
                    }
                )
    return {"runs": rows, "truth": truth}


if __name__ == "__main__":
    chosen = [int(seed) for seed in sys.argv[4].split(",")]
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), chosen)))
