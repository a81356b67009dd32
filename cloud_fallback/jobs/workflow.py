"""The durable workflow of a job: probe, chunks, report.

DBOS keeps what each step returned. A job whose worker ended continues in another process: the
workflow runs again from its start, its finished steps return what they returned, and the first
unfinished one continues from the checkpoint of the job, which is written in the same transaction as
the job's progress. So a step that ran and was not recorded is idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dbos import DBOS, DBOSConfig, SetWorkflowID

if TYPE_CHECKING:
    from .job_runner import JobRunner

# By default it is a hash of the code, and an upgrade would strand every job: what a newer version
# cannot resume it counts from the start (see `JobRunner`).
APPLICATION_VERSION = "1"
POLL_S = 0.1
QUEUE_PREFIX = "resumed-"
ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")

_runner: JobRunner | None = None


def launch(url: str, executor: str, runner: JobRunner) -> None:
    """Start DBOS in this process, which runs the jobs of `runner`."""
    global _runner
    _runner = runner
    config: DBOSConfig = {
        "name": "tallylens",
        "system_database_url": url,
        "executor_id": executor,
        "application_version": APPLICATION_VERSION,
        "enable_otlp": False,
        "log_level": "ERROR",
        "console_log_level": "ERROR",
    }
    DBOS(config=config)
    # Only this process reads it: what is resumed here runs here.
    DBOS.listen_queues([queue_name(executor)])
    DBOS.launch()
    # At once: a queue is polled only some time after it was registered.
    DBOS.register_queue(
        queue_name(executor), polling_interval_sec=POLL_S, on_conflict="always_update"
    )


def queue_name(executor: str) -> str:
    """The queue of the workflows that one executor resumes."""
    return f"{QUEUE_PREFIX}{executor}"


def start(workflow: str, job: str, executor: str) -> bool:
    """Start a workflow, or resume the one that another process left; False if it has ended."""
    status = DBOS.get_workflow_status(workflow)
    if status is None:
        with SetWorkflowID(workflow):
            DBOS.start_workflow(count_video, job)
        return True
    if status.status in ENDED:
        return False
    DBOS.resume_workflow(workflow, queue_name=queue_name(executor))
    return True


def stop(executor: str) -> None:
    """End DBOS in this process; workflows that have not ended stay to be resumed."""
    DBOS.delete_queue(queue_name(executor))
    DBOS.destroy()


def forget_queues(executors: Iterable[str]) -> None:
    """Delete the queues of all but these executors: the others have ended without doing so."""
    alive = {queue_name(executor) for executor in executors}
    for queue in DBOS.list_queues():
        if queue.name.startswith(QUEUE_PREFIX) and queue.name not in alive:
            DBOS.delete_queue(queue.name)


@DBOS.workflow(name="count_video", max_recovery_attempts=None)
def count_video(job: str) -> str:
    """Count one job's video to its end; returns the state of the job."""
    runner = _current(job)
    with runner.workflow():
        if not probe_video(job):
            return "failed"
        index: int | None = 0
        while index is not None:
            index = count_chunk(job, index)
        return "done"


@DBOS.step(name="probe_video")
def probe_video(job: str) -> bool:
    """Probe the job's video; False if it is refused."""
    return _current(job).probe()


@DBOS.step(name="count_chunk")
def count_chunk(job: str, index: int) -> int | None:
    """Count a chunk from frame `index` on; returns the next index, None at the end."""
    return _current(job).chunk(index)


def _current(job: str) -> JobRunner:
    assert _runner is not None
    _runner.check(job)
    return _runner
