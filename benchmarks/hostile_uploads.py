"""`/healthz` of a server of uploaded videos, quiet and while attacks by uploads of all kinds come.

    python benchmarks/hostile_uploads.py [--seconds 10] [--rounds 3] [--json FILE]

Quiet seconds and attacks take turns, so that what else the machine does meets both. The uploads
come from a process of their own; so does the server.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from results import show
from video_load.hostile import attack

from tests.support.video_server import VideoServer

EVERY_S = 0.02
BAR_MS = 100.0


def probe(port: int, seconds: float) -> list[float]:
    """Milliseconds of each request for `/healthz`, each of a connection of its own."""
    took, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        asked = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok"
        connection.close()
        took.append(1000 * (time.monotonic() - asked))
        time.sleep(EVERY_S)
    return took


def measure(server: VideoServer, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """A row for the quiet seconds, and one for those with such uploads."""
    found: dict[str, list[float]] = {"quiet": [], "hostile": []}
    context = multiprocessing.get_context("spawn")
    for _ in range(rounds):
        found["quiet"] += probe(server.port, seconds)
        arguments = (server.port, server.key, server.other_key)
        child = context.Process(target=attack, args=arguments, daemon=True)
        child.start()
        time.sleep(2.0)  # it imports first
        found["hostile"] += probe(server.port, seconds)
        child.kill()
        child.join()
        time.sleep(0.5)
    return [
        {
            "uploads": name,
            "requests": len(took),
            "median_ms": quantiles(took, n=2)[0],
            "p95_ms": quantiles(took, n=20)[18],
            "slowest_ms": max(took),
            "within_100_ms": sum(one <= BAR_MS for one in took) / len(took),
        }
        for name, took in found.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tallylens-hostile-") as name:
        server = VideoServer(Path(name), "demo", workers=0).start()
        with server.running():
            rows = measure(server, options.seconds, options.rounds)
    show(rows, options.json)


if __name__ == "__main__":
    main()
