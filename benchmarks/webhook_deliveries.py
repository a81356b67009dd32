"""Deliveries that wait for their next attempt: as rows with a lease, and as workflows of DBOS.

    python benchmarks/webhook_deliveries.py [--number 300] [--json FILE]

Each of the waiting deliveries is one to a receiver that is gone. Both keep them in SQLite. A row:
threads and memory of the process that makes them while they wait, and seconds until a restarted
process has them again, as after an upgrade of the server.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from results import show

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

LONG_S = 20 * 3600.0


def state() -> dict[str, float]:
    """Resident memory and threads of this process."""
    status = Path("/proc/self/status").read_text().splitlines()
    resident = next(line for line in status if line.startswith("VmRSS"))
    return {"rss_mib": int(resident.split()[1]) / 1024, "threads": threading.active_count()}


def rows(folder: Path, number: int, first: bool, told: Connection) -> None:
    """Deliveries as they are: `number` rows that wait."""
    import sqlalchemy as sa

    from tallylens.cloud_fallback.jobs import schema
    from tallylens.cloud_fallback.jobs.clock import now_us
    from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
    from tallylens.cloud_fallback.jobs.tables import accounts, deliveries, webhooks
    from tallylens.cloud_fallback.jobs.webhooks import delivery_queue

    database = Database(sqlite_url(folder / "rows.db"))
    schema.upgrade(database)
    before, began = state(), time.monotonic()
    if first:
        now = now_us()
        row = {"event": "job.done", "body": "{}", "state": "waiting", "created": now}
        later = now + int(LONG_S * 1e6)

        def insert(connection: sa.Connection) -> None:
            connection.execute(sa.insert(accounts).values(id="acc", created=now))
            hook = {"id": "whk", "account": "acc", "url": "https://x/", "secret": "s"}
            connection.execute(sa.insert(webhooks).values(created=now, **hook))
            for index in range(number):
                values = {"id": f"dlv{index}", "event_id": f"evt{index}", "next_at": later}
                connection.execute(sa.insert(deliveries).values(webhook="whk", **row, **values))

        database.run(insert)
    # A restarted process has them with its first look.
    assert database.run(delivery_queue.claim, 4) == []
    report(told, before, time.monotonic() - began)


def workflows(folder: Path, number: int, first: bool, told: Connection) -> None:
    """Each delivery as a durable workflow that sleeps until its next attempt."""
    from dbos import DBOS, DBOSConfig

    config: DBOSConfig = {
        "name": "deliveries",
        "system_database_url": f"sqlite:///{folder / 'workflows.db'}",
        "executor_id": "one",
        "application_version": "1",
        "log_level": "ERROR",
    }
    DBOS(config=config)
    asleep = threading.Semaphore(0)

    @DBOS.workflow(name="deliver")
    def deliver(_delivery: str) -> None:
        asleep.release()
        DBOS.sleep(LONG_S)

    before, began = state(), time.monotonic()
    DBOS.launch()
    if first:
        for index in range(number):
            DBOS.start_workflow(deliver, f"dlv{index}")
    for _ in range(number):
        asleep.acquire(timeout=300)
    report(told, before, time.monotonic() - began)


def report(told: Connection, before: dict[str, float], seconds: float) -> None:
    """Say what this process needs, and wait to be ended."""
    after = state()
    told.send({name: after[name] - before[name] for name in after} | {"ready_s": seconds})
    threading.Event().wait()


def measure(number: int) -> list[dict[str, Any]]:
    """A row for each way, new and restarted."""
    found = []
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="tallylens-deliveries-") as name:
        for work in (rows, workflows):
            for first in (True, False):
                receiving, sending = context.Pipe(False)
                arguments = (Path(name), number, first, sending)
                child = context.Process(target=work, args=arguments, daemon=True)
                child.start()
                what = f"{work.__name__}, {'new' if first else 'restarted'}"
                found.append({"deliveries": what, **receiving.recv()})
                child.kill()
                child.join()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.number)
    show(found, options.json)


if __name__ == "__main__":
    main()
