"""Workers in the database: a heartbeat of each, and what becomes of the jobs of a dead one."""

from __future__ import annotations

import time

import sqlalchemy as sa
from sqlalchemy import Connection

from .clock import SECOND, now_us
from .database import Database
from .job_queue import release_dead
from .tables import jobs, workers

BEAT_S = 5.0
DEAD_S = 15.0
CHECK_S = 2.0


def database_now(connection: Connection) -> int:
    """Microseconds since 1970 by one clock for all machines."""
    if connection.dialect.name == "postgresql":
        query = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return int(connection.execute(query).scalar_one())
    return now_us()


def beat(connection: Connection, worker: str, host: str, model_sha256: str, fps: float) -> None:
    """Write that a worker lives, and how fast it counts."""
    values = {"host": host, "model_sha256": model_sha256, "fps": fps}
    values["seen"] = database_now(connection)
    changed = connection.execute(
        sa.update(workers).where(workers.c.id == worker).values(**values)
    ).rowcount
    if not changed:
        connection.execute(sa.insert(workers).values(id=worker, **values))


def all_workers(connection: Connection) -> list[str]:
    """The ids of all workers whose row is there."""
    return list(connection.scalars(sa.select(workers.c.id)))


def end(connection: Connection, worker: str) -> None:
    """Forget a worker that has ended, and put back the job that it had, if any."""
    connection.execute(sa.delete(workers).where(workers.c.id == worker))
    release_dead(connection, [worker])


def release_jobs_of_dead(connection: Connection) -> int:
    """Put back the jobs of workers without a heartbeat for DEAD_S; returns their number."""
    oldest = database_now(connection) - int(DEAD_S * SECOND)
    alive = sa.select(workers.c.id).where(workers.c.seen >= oldest)
    dead = connection.scalars(
        sa.select(jobs.c.owner)
        .where(jobs.c.state == "running", jobs.c.owner.not_in(alive))
        .distinct()
    ).all()
    connection.execute(sa.delete(workers).where(workers.c.seen < oldest))
    return release_dead(connection, [owner for owner in dead if owner is not None])


class DeathWatch:
    """Looks for dead workers; but not just after the database was away.

    Nobody's heartbeat is written while there is no database: afterwards all would look dead.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._since: float | None = None

    def look(self) -> int:
        """Put back the jobs of dead workers; returns their number."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        try:
            if now - self._since >= BEAT_S + 1:
                return self._database.run(release_jobs_of_dead)
            self._database.run(database_now)
        except Exception:
            self._since = None
            raise
        return 0
