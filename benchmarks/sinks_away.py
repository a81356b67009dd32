"""Counts whose receiver is away for a while, or longer than the queue holds: what arrives.

    python benchmarks/sinks_away.py [--away 30] [--json FILE]

The receivers are real: mosquitto (stopped and started again), a webhook receiver (closed and opened
again), a SQLite database (locked by another connection). Cars cross a line all the time. `delay ms`
is the longest time that counting a frame took. In the rows named `full` the queue holds half of
what comes meanwhile, so that the other half must be dropped.
"""

from __future__ import annotations

import argparse
import http.server
import json
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.console import Console
from rich.table import Table

from tallylens import Detections, Line, Report
from tallylens.edge_runtime.counting.session import CountSession
from tallylens.sinks import open_sink
from tallylens.sinks.delivery import MAX_WAITING, DeliverySink
from tallylens.testing import FakeDetector

SIZE, FRAMES_PER_CAR, PERIOD_S = (100, 200), 25, 0.01
PATIENCE_S = 60.0
Row = dict[str, Any]


class Receiver(Protocol):
    """A real receiver, which can go away and return."""

    url: str

    def leave(self) -> None:
        """Be away from now on."""
        ...

    def come_back(self) -> None:
        """Receive again."""
        ...

    def events(self) -> set[str]:
        """The ids of all events that it has received so far."""
        ...

    def close(self) -> None:
        """End."""
        ...


def free_port() -> int:
    """A port that nothing listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


class Mosquitto:
    """The broker as a process, and a subscriber with a session that the broker keeps."""

    def __init__(self, folder: Path) -> None:
        from paho.mqtt import client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        self._port, self._ids = free_port(), set[str]()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self._port} 127.0.0.1\nallow_anonymous true\nuser root\n"
            f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\n"
        )
        self.url = f"mqtt://127.0.0.1:{self._port}/yard"
        self.come_back()
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="reader", clean_session=False
        )
        client.on_message = lambda _, __, message: self._ids.add(json.loads(message.payload)["id"])

        def subscribe(*_: Any) -> None:
            client.subscribe("yard/events", qos=1)

        client.on_connect = subscribe
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", self._port)
        client.loop_start()

    def leave(self) -> None:
        """Be away from now on."""
        self._process.terminate()
        self._process.wait(PATIENCE_S)

    def come_back(self) -> None:
        """Receive again."""
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process = subprocess.Popen(
            [program, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + PATIENCE_S
        while not self._listens():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError("mosquitto does not start")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self._port)) == 0

    def events(self) -> set[str]:
        """The ids of all events so far."""
        return set(self._ids)

    def close(self) -> None:
        """End."""
        self._client.disconnect()
        self._client.loop_stop()
        self.leave()


class Webhook:
    """An HTTP server that keeps the ids of what it accepts."""

    def __init__(self, folder: Path) -> None:
        del folder
        self._port, self._ids = free_port(), set[str]()
        self.url = f"http://127.0.0.1:{self._port}/hook"
        self.come_back()

    def leave(self) -> None:
        """Be away from now on."""
        self._server.shutdown()
        self._server.server_close()

    def come_back(self) -> None:
        """Receive again."""
        ids = self._ids

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                ids.add(self.headers["webhook-id"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def events(self) -> set[str]:
        """The ids of all events so far."""
        return set(self._ids)

    def close(self) -> None:
        """End."""
        self.leave()


class Database:
    """A SQLite file that another connection locks."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "counts.db"
        self.url = f"sqlite:///{self._path}"
        self._lock: sqlite3.Connection | None = None

    def leave(self) -> None:
        """Be away from now on."""
        self._lock = sqlite3.connect(self._path, isolation_level=None, timeout=PATIENCE_S)
        self._lock.execute("BEGIN EXCLUSIVE")

    def come_back(self) -> None:
        """Receive again."""
        if self._lock is not None:
            self._lock.rollback()
            self._lock.close()
            self._lock = None

    def events(self) -> set[str]:
        """The ids of all events so far."""
        with closing(sqlite3.connect(self._path, timeout=PATIENCE_S)) as database:
            rows = database.execute("SELECT run, sequence FROM events").fetchall()
        return {f"{run}-{sequence}" for run, sequence in rows}

    def close(self) -> None:
        """End."""
        self.come_back()


RECEIVERS: dict[str, Callable[[Path], Receiver]] = {
    "mqtt": Mosquitto,
    "webhook": Webhook,
    "sqlite": Database,
}


def cars(number: int) -> list[Detections]:
    """Each car goes down over the line; then the street is empty until it is forgotten."""
    frames = []
    for _ in range(number):
        for index in range(FRAMES_PER_CAR):
            y = 40 + 8 * index
            if y > 180:
                frames.append(Detections.empty())
                continue
            box = np.array([(40, y - 20, 60, y)], np.float32)
            frames.append(Detections(box, np.array([0.9], np.float32), np.zeros(1, np.int32)))
    return frames


class Run:
    """One count of `number` cars, a car every `FRAMES_PER_CAR * PERIOD_S` seconds."""

    def __init__(self, number: int, sink: DeliverySink | None) -> None:
        self._frames = cars(number)
        self._session = CountSession(
            "camera",
            [FakeDetector(self._frames)],
            ["car"],
            SIZE,
            lines=[Line(0, 100, 100, 100, "gate")],
            sinks=[] if sink is None else [sink],
        )
        self.delay_s, self.index = 0.0, 0

    def until(self, index: int) -> None:
        """Count the frames before `index`, in real time."""
        image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        start, first = time.monotonic(), self.index
        while self.index < min(index, len(self._frames)):
            ahead = start + (self.index - first) * PERIOD_S - time.monotonic()
            time.sleep(max(ahead, 0))
            begin = time.perf_counter()
            self._session.update(image, timestamp_s=self.index / 10)
            self.delay_s = max(self.delay_s, time.perf_counter() - begin)
            self.index += 1

    def end(self) -> Report:
        """The rest, and the report."""
        self.until(len(self._frames))
        self._session.conclude()
        report = self._session.report()
        self._session.close()
        return report


def counts(report: Report) -> Row:
    """The totals that are compared."""
    return {"unique": report.unique, "in": report.lines[0].crossed_in}


def measure(name: str, away_s: float, folder: Path, *, full: bool = False) -> Row:
    """Count with a receiver that is away in the middle."""
    receiver = RECEIVERS[name](folder)
    notices: list[str] = []
    try:
        per_s = sent(1) / (FRAMES_PER_CAR * PERIOD_S)
        limit = round(away_s * per_s / 2) if full else MAX_WAITING
        sink = open_sink(receiver.url, limit=limit, on_notice=notices.append)
        before = round(1.0 / PERIOD_S)
        away = round(away_s / PERIOD_S)
        number = (before + away + before) // FRAMES_PER_CAR
        run = Run(number, sink)
        run.until(before)
        receiver.leave()
        run.until(before + away)
        receiver.come_back()
        run.until(before + away + before)
        end = time.monotonic() + PATIENCE_S
        # The retries are up to twice as far apart as the receiver was away.
        while len(notices) == 1 and time.monotonic() < end:
            time.sleep(0.02)
        report = run.end()
        end = time.monotonic() + PATIENCE_S
        dropped = sum(
            int(one.split(": ")[1].split()[0]) for one in report.warnings if "drop" in one
        )
        wanted = sent(number) - dropped
        while len(receiver.events()) < wanted and time.monotonic() < end:
            time.sleep(0.05)
        return {
            "receiver": f"{name}, full" if full else name,
            "away s": away_s,
            **counts(report),
            "counts as without": counts(report) == counts(Run(number, None).end()),
            "events": sent(number),
            "received": len(receiver.events()),
            "dropped, said": dropped,
            "delay ms": run.delay_s * 1e3,
            "notices": notices,
            "warnings": list(report.warnings),
        }
    finally:
        receiver.close()


def sent(number: int) -> int:
    """The events of a count: each car is confirmed and crosses."""
    return 2 * number


def show(rows: list[Row]) -> None:
    """One table."""
    table = Table(title="receivers that are away")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=200).print(table)


def main() -> None:
    """Measure each receiver."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--away", type=float, default=30)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = []
    for full in (False, True):
        for name in RECEIVERS:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(measure(name, options.away, Path(folder), full=full))
    show(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
