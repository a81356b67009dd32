"""The Swift client against a real server, through a link with faults; for `check cloud`.

    python -m tests.support.ios_cloud PROGRAM LITERT FOLDER RUN...

PROGRAM is TallyLensConformance. Frames, server, faults and seeds are those of the Android client.
A RUN is `KIND:SEED` or `KIND:SEED:FRAMES`: with `cloud` the server detects every frame, `offload`
is a counter with the server's own model, `auto` one that sends JPEG where it is worth it, `still`
the same of views that do not change, and seed 0 is a link without faults. Prints a JSON document:
for each run what was wrong with it, empty if nothing was, and the figures to show.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Run:
    """One run of the client."""

    kind: str
    seed: int
    frames: int

    @classmethod
    def parse(cls, text: str) -> Run:
        """The run that `KIND:SEED:FRAMES` describes."""
        kind, seed, frames, *_ = [*text.split(":"), str(shared.FRAMES)]
        return cls(kind, int(seed), int(frames))

    def words(self, frames: Path, url: str, litert: str) -> list[str]:
        """The arguments of the program."""
        if self.kind == "cloud":
            return ["cloud", str(frames), url, str(PACE_FPS)]
        mode = "always" if self.kind == "offload" else "auto"
        words = ["offload", str(frames), str(DEMO.path), url, mode, "--litert", litert]
        digest = [] if mode == "auto" else ["--digest", sha256(DEMO.path)]
        return [*words, *digest, "--fps", str(PACE_FPS)]

    def undisturbed(self, connections: int) -> str:
        """A sentence if no fault broke a connection, else empty."""
        return "no fault broke a connection" if self.seed and connections < 2 else ""

    def problem(self, found: Any, truth: dict[str, Any]) -> str:
        """The fault in the document of the program, empty without one."""
        if "failed" in found:
            return str(found["failed"])
        report = found.get("report", found)
        counts = {key: report[key] for key in truth}
        # From a lossy image the same model sees less than it sees here.
        if counts != truth and self.kind != "auto":
            return f"{counts}, not {truth}"
        if self.kind == "cloud":
            good = found["answered"] == self.frames and not found["repeated"]
            return "" if good and not found["missing"] else f"{found['missing']}, {found}"
        frames = found["offload"]["frames"]
        if sum(frames.values()) != self.frames or report["frames"] != self.frames:
            return f"{frames} of {self.frames} frames"
        if found["offload"]["rejected"] or not frames["cloud"]:
            return f"nothing came from the server, or it refused frames: {found['offload']}"
        return ""


def demo_frames(folder: Path, count: int) -> Path:
    """The first frames of the demo in a quarter of their size: the client sends exact pixels."""
    frames = folder / f"cloud-{count}.tlfr"
    pictures = zip(range(count), video_frames(Path("demo")), strict=False)
    write_frames(frames, ((at, image[::2, ::2]) for _, (at, image) in pictures))
    return frames


def main(program: str, litert: str, folder: Path, runs: list[Run]) -> dict[str, Any]:
    """All runs."""
    moving = {one.frames: demo_frames(folder, one.frames) for one in runs if one.kind != "still"}
    truths = {count: shared.expected(frames) for count, frames in moving.items()}
    files = {
        one: shared.still_frames(folder) if one.kind == "still" else moving[one.frames]
        for one in runs
    }
    rows: list[dict[str, Any]] = []
    with shared.server(folder) as (port, key, ca):
        for one in runs:
            started = time.monotonic()
            with faulty(port, ca, one.seed) as (url, link):
                words = one.words(files[one], url, litert)
                found = run([program, *words], key)
            if one.kind == "still":
                skips = shared.skipped(files[one], port, key, ca)
                wrong = shared.still_problem(found, skips)
            else:
                wrong = one.problem(found, truths[one.frames])
            rows.append(
                {
                    "run": f"{one.kind}, seed {one.seed}",
                    "problem": wrong or one.undisturbed(link.connections),
                    "connections": link.connections,
                    "frames": found.get("offload", {}).get("frames", found.get("answered")),
                    "seconds": round(time.monotonic() - started, 1),
                }
            )
    return {"runs": rows, "truth": truths}


if __name__ == "__main__":
    chosen = [Run.parse(text) for text in sys.argv[4:]]
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), chosen)))
