"""Eleven disturbed runs: equal counts, deadlines, and the way back to the cloud.

    python benchmarks/disturbed.py [--only kill,404,...] [--mode always] [--json FILE]

A video is counted at a camera's pace through a server with TLS, with the same model on both ends,
while the server, the network or the certificate fails for some seconds. Shown for each fault:
whether the counts are those of the device alone on the same frames, by how much the slowest frame
exceeded its deadline, and how long after the end of the fault the cloud answered again. It prints,
and never fails on a time. Needs the folder of real models and videos (TALLYLENS_DATA).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from offload import show
from offloading.counting import REGIONS, every_other, totals
from offloading.disturbance import Bench, Fault, faults, start_server
from offloading.link import Link
from offloading.work import STREET, Row, Work, free_port

from tallylens import Counter
from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.client.offloader import OffloadOptions
from tallylens.cloud_fallback.client.remote_detector import RemoteDetector
from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates
from tallylens.edge_runtime.types import Detections, Image

PERIOD_S = 0.2
DEADLINE_S = 2.0
BEFORE_S = 4.0
FAULT_S = 10.0
# As long as the way back may take, and some frames more.
PATIENCE_S, AFTER_S = 60.0, 3.0
Timed = list[tuple[int, np.ndarray]]


class Answers:
    """When the cloud has answered a frame; watches the client of this process."""

    def __init__(self) -> None:
        self.times: list[float] = []
        original = RemoteDetector.detect

        def detect(remote: RemoteDetector, image: Image, until: float) -> Detections | None:
            found = original(remote, image, until)
            if found is not None:
                self.times.append(time.monotonic())
            return found

        RemoteDetector.detect = detect  # type: ignore[assignment, method-assign]

    def first_after(self, moment: float) -> float | None:
        """Seconds from `moment` to the next answer; None without one."""
        later = [one - moment for one in list(self.times) if one > moment]
        return min(later) if later else None


class Run:
    """One count during which a fault comes and goes."""

    def __init__(self, frames: Timed, answers: Answers, fault: Fault) -> None:
        self._frames, self._answers, self._fault = frames, answers, fault
        self._begun = threading.Event()
        self.healed_at = 0.0
        self.counted: Timed = []

    def paced(self) -> Iterator[tuple[int, np.ndarray]]:
        """The video again and again, until the cloud is back or will not come back."""
        threading.Thread(target=self._disturb, daemon=True).start()
        due, number, period_ns = time.monotonic(), 0, int(PERIOD_S * 1e9)
        while not self._over():
            time.sleep(max(0.0, due - time.monotonic()))
            due += PERIOD_S
            self.counted.append((number * period_ns, self._frames[number % len(self._frames)][1]))
            yield self.counted[-1]
            number += 1
            if number * PERIOD_S >= BEFORE_S and self._answers.times:
                self._begun.set()

    def _disturb(self) -> None:
        self._begun.wait()
        self._fault.begin()
        time.sleep(FAULT_S)
        self._fault.end()
        self.healed_at = time.monotonic()

    def _over(self) -> bool:
        if not self.healed_at:
            return False
        now, back = time.monotonic(), self._answers.first_after(self.healed_at)
        if back is None:
            return now > self.healed_at + PATIENCE_S
        return now > self.healed_at + back + AFTER_S


def measure(bench: Bench, frames: Timed, answers: Answers, fault: Fault, mode: Any) -> Row:
    """One row of the table."""
    run = Run(frames, answers, fault)
    answers.times.clear()
    options = OffloadOptions(
        f"wss://localhost:{bench.link.port}",
        Secret(bench.work.key),
        mode,
        ca=bench.certificates[0],
        deadline_s=DEADLINE_S,
    )
    with Counter(bench.model, offload=options, workers=1, **REGIONS) as counter:
        report = counter.run(run.paced())
        found, made = totals(counter), report.offload or {}
    with Counter(bench.model, workers=1, **REGIONS) as counter:
        counter.run(run.counted)
        expected = totals(counter)
    back = answers.first_after(run.healed_at)
    return {
        "equal": found == expected,
        "frames": report.frames,
        "cloud": made["frames"]["cloud"],
        "local": made["frames"]["local"],
        "over the deadline s": round(max(0.0, made["longest_frame_ms"] / 1000 - DEADLINE_S), 3),
        "back after s": None if back is None else round(back, 2),
        "connections": made["connections"],
        "refusals": sum(one["times"] for one in made["refusals"]),
    }


def main() -> None:
    """Run the faults asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", help="names of faults, separated by commas")
    parser.add_argument("--mode", default="always", choices=("always", "auto"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--work", type=Path, help="keep what is converted here")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        work, port = Work(folder), free_port()
        model, frames, answers = work.model("192x320"), every_other(STREET), Answers()
        certificates = make_dev_certificates(Path(temporary) / "tls")
        server = start_server(work, model, port, certificates)
        bench = Bench(work, model, port, Link(port), certificates, server)
        try:
            made = faults(bench, Path(temporary))
            for name in options.only.split(",") if options.only else made:
                row = measure(bench, frames, answers, made[name](), options.mode)
                rows.append({"fault": name, **row})
                print(json.dumps(rows[-1]), flush=True)
        finally:
            bench.server.kill()
            bench.server.wait()
    show(f"disturbed: {FAULT_S:.0f} s each, deadline {DEADLINE_S:.0f} s", rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
