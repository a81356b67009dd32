"""Tests of the queue: the order of jobs, and writes of workers that lost theirs."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Row

from tallylens.cloud_fallback.jobs import checkpoints, job_queue, workers
from tallylens.cloud_fallback.jobs.database import Database
from tallylens.cloud_fallback.jobs.job_queue import Claim, LostJobError
from tallylens.cloud_fallback.jobs.plans import Plan
from tallylens.cloud_fallback.jobs.tables import usage
from tallylens.cloud_fallback.jobs.tables import workers as workers_table
from tests.support.job_rows import MODEL, add_job, job_row

DOCUMENT = {"frames": 10, "seconds": 0.4}


def take(connection: Connection, worker: str = "w", **options: Any) -> Claim:
    claimed = job_queue.claim(connection, worker, MODEL, **options)
    assert claimed is not None
    return claimed


def test_the_earliest_deadline_of_an_account_comes_first(database: Database) -> None:
    def work(connection: Connection) -> None:
        late = add_job(connection, deadline=2_000)
        early = add_job(connection, deadline=1_000)
        same = add_job(connection, deadline=2_000)
        assert [take(connection).job for _ in range(3)] == [early, late, same]
        assert job_queue.claim(connection, "w", MODEL) is None

    database.run(work)


def test_accounts_take_turns(database: Database) -> None:
    def work(connection: Connection) -> None:
        first = [add_job(connection, "acc_A", deadline=1) for _ in range(3)]
        second = [add_job(connection, "acc_B", deadline=9) for _ in range(2)]
        taken = []
        for _ in range(5):
            claimed = take(connection)
            taken.append(claimed.job)
            checkpoints.write_report(connection, claimed.job, claimed.attempt, DOCUMENT, {})
        assert taken == [first[0], second[0], first[1], second[1], first[2]]

    database.run(work)


def test_the_account_with_fewer_running_jobs_comes_first(database: Database) -> None:
    def work(connection: Connection) -> None:
        for _ in range(3):
            add_job(connection, "acc_A", deadline=1)
        taken = [take(connection).account for _ in range(2)]
        add_job(connection, "acc_B", deadline=9)
        taken += [take(connection).account for _ in range(2)]
        assert taken == ["acc_A", "acc_A", "acc_B", "acc_A"]

    database.run(work)


def test_an_account_has_as_many_jobs_at_once_as_its_plan_allows(database: Database) -> None:
    def plan_of(_account: Row[Any]) -> Plan:
        return Plan(jobs_at_once=1)

    def work(connection: Connection) -> None:
        for account in ("acc_A", "acc_A", "acc_B"):
            add_job(connection, account)
        first = take(connection, plan_of=plan_of)
        assert take(connection, plan_of=plan_of).account == "acc_B"
        assert job_queue.claim(connection, "w", MODEL, plan_of) is None
        job_queue.hand_back(connection, first.job, first.attempt)
        assert take(connection, plan_of=plan_of).account == "acc_A"

    database.run(work)


def test_jobs_of_another_model_are_left_alone(database: Database) -> None:
    def work(connection: Connection) -> None:
        add_job(connection, model="1" * 64)
        assert job_queue.claim(connection, "w", MODEL) is None

    database.run(work)


def test_a_worker_that_lost_its_job_cannot_touch_it(database: Database) -> None:
    def give_to_two(connection: Connection) -> tuple[Claim, Claim]:
        add_job(connection)
        first = take(connection, "sleeps")
        assert job_queue.release_dead(connection, ["sleeps"]) == 1
        return first, take(connection, "works")

    first, second = database.run(give_to_two)
    assert second.attempt == first.attempt + 1
    assert second.workflow == first.workflow
    for write in (
        lambda c: checkpoints.write_chunk(c, first.job, first.attempt, 240, 240, "{}"),
        lambda c: checkpoints.write_report(c, first.job, first.attempt, DOCUMENT, {}),
        lambda c: job_queue.fail(c, first.job, first.attempt, "no"),
        lambda c: job_queue.hand_back(c, first.job, first.attempt),
    ):
        with pytest.raises(LostJobError):
            database.run(write)
    assert database.run(job_row, first.job).owner == "works"


def test_a_job_fails_after_three_workers_without_progress(database: Database) -> None:
    def work(connection: Connection) -> None:
        job = add_job(connection, frames=480)
        for _ in range(3):
            assert take(connection, "dies").job == job
            job_queue.release_dead(connection, ["dies"])
        assert job_queue.claim(connection, "w", MODEL) is None
        row = job_row(connection, job)
        assert (row.state, row.error) == ("failed", "a worker ended 3 times at frame 480")
        state = connection.scalar(sa.select(usage.c.state).where(usage.c.job == job))
        assert state == "released"

    database.run(work)


def test_progress_forgives_the_attempts_before(database: Database) -> None:
    def work(connection: Connection) -> None:
        add_job(connection)
        for index in range(5):
            claimed = take(connection, "dies")
            checkpoints.write_chunk(connection, claimed.job, claimed.attempt, index, index, "{}")
            job_queue.release_dead(connection, ["dies"])
        assert take(connection).attempt == 6

    database.run(work)


def test_a_chunk_written_twice_changes_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        add_job(connection)
        claimed = take(connection)
        for _ in range(2):
            assert checkpoints.write_chunk(
                connection, claimed.job, claimed.attempt, 240, 240, '{"a": 1}'
            )
        assert checkpoints.read_checkpoint(connection, claimed.job) == (240, {"a": 1})

    database.run(work)


def test_cancel_of_a_queued_and_of_a_running_job(database: Database) -> None:
    def work(connection: Connection) -> None:
        queued = add_job(connection)
        assert job_queue.cancel(connection, queued)
        assert job_row(connection, queued).state == "cancelled"
        assert not job_queue.cancel(connection, queued)
        running = add_job(connection)
        claimed = take(connection)
        assert claimed.job == running
        assert job_queue.cancel(connection, running)
        assert job_row(connection, running).state == "running"
        assert not checkpoints.write_chunk(connection, running, claimed.attempt, 240, 240, "{}")
        assert job_row(connection, running).state == "cancelled"
        kept = connection.execute(sa.select(usage).where(usage.c.job == running)).one()
        assert (kept.state, kept.frames) == ("settled", 240)

    database.run(work)


def test_a_failed_job_can_be_tried_again(database: Database) -> None:
    def work(connection: Connection) -> None:
        job = add_job(connection)
        claimed = take(connection)
        assert not job_queue.retry(connection, job)
        job_queue.fail(connection, job, claimed.attempt, "no")
        assert job_queue.retry(connection, job)
        again = take(connection)
        assert (again.job, again.attempt) == (job, 2)
        assert again.workflow != claimed.workflow
        assert connection.scalar(sa.select(usage.c.state)) == "reserved"

    database.run(work)


def test_jobs_of_workers_without_a_heartbeat_are_freed(database: Database) -> None:
    def work(connection: Connection) -> None:
        first, second = add_job(connection), add_job(connection)
        workers.beat(connection, "dead", "host", MODEL, 1.0)
        workers.beat(connection, "alive", "host", MODEL, 1.0)
        take(connection, "dead")
        take(connection, "alive")
        assert workers.release_jobs_of_dead(connection) == 0
        old = workers.database_now(connection) - 15_100_000
        connection.execute(
            sa.update(workers_table).where(workers_table.c.id == "dead").values(seen=old)
        )
        assert workers.release_jobs_of_dead(connection) == 1
        assert job_row(connection, first).state == "queued"
        assert job_row(connection, second).state == "running"

    database.run(work)


def test_versions_of_a_job_grow(database: Database) -> None:
    def work(connection: Connection) -> None:
        job = add_job(connection, version=1 << 60)
        claimed = take(connection)
        first = job_row(connection, job).version
        job_queue.change(connection, job, claimed.attempt, {"frames": 1})
        assert 1 << 60 < first < job_row(connection, job).version

    database.run(work)
