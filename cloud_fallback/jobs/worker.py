"""A worker process: takes jobs from the queue one at a time and counts them."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import job_queue, schema, workers
from .database import DatabaseGoneError
from .job_count import Detectors, JobModel
from .job_queue import Claim
from .job_runner import JobRunner
from .settings import VideoSettings

log = logging.getLogger("tallylens.jobs")
IDLE_S = 0.1
WAIT_S = 0.02
# In which DBOS begins a workflow, if there is a database.
START_S = 120.0
NICE = 10
# Libraries reserve far more address space than they use.
MORE_MEMORY = 3 << 30


@dataclass
class Worker:
    """One worker; `run` returns after SIGTERM or SIGINT, or with the process that started it.

    Args:
        settings: the places of the service.
        model: what it counts with.
        parent: process id without which it ends; None for none.
        id: of its row; unique for each process, so that no two can take each other's jobs.
    """

    settings: VideoSettings
    model: JobModel
    parent: int | None = None
    id: str = field(default_factory=lambda: new_worker_id(os.getpid()))

    def run(self) -> None:
        """Work until told to stop."""
        from . import workflow

        prepare_process()
        self.model.prepare()
        database = self.settings.open_database()
        schema.upgrade(database)
        detectors = Detectors(self.model)
        self._database = database
        self._runner = runner = JobRunner(
            database,
            self.settings.open_storage(),
            detectors,
            scratch=self.settings.folder / "scratch",
            wait=self.settings.open_live_mark().wait,
        )
        # Before its queue is there, which others delete if no living worker has it.
        self._beat()
        workflow.launch(self.settings.workflow_url(database), self.id, runner)
        workflow.forget_queues(database.run(workers.all_workers))
        limit_memory()
        threading.Thread(target=self._watch, name="heartbeat", daemon=True).start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: runner.stopping.set())
        try:
            while not self._stops():
                if not self._work():
                    runner.stopping.wait(IDLE_S)
        finally:
            workflow.stop(self.id)
            runner.prober.close()
            detectors.close()
            database.run(workers.end, self.id)
            database.close()

    def _stops(self) -> bool:
        if self.parent is not None and os.getppid() != self.parent:
            self._runner.stopping.set()
        return self._runner.stopping.is_set()

    def _work(self) -> bool:
        """Count the next job, if there is one."""
        try:
            claim = self._database.run(
                job_queue.claim, self.id, self.model.digest, self.settings.plans.of
            )
        except DatabaseGoneError as error:
            log.warning("the database is gone", extra={"problem": str(error)})
            time.sleep(1.0)
            return False
        if claim is None:
            return False
        self._count(claim)
        return True

    def _count(self, claim: Claim) -> None:
        from . import workflow

        runner = self._runner
        runner.begin(claim)
        if not workflow.start(claim.workflow, claim.job, self.id):
            # That workflow ended without the job, such as by handing it back.
            fresh = f"{claim.job}-{claim.attempt}"
            self._database.run_patiently(job_queue.use_workflow, claim, fresh)
            workflow.start(fresh, claim.job, self.id)
        until = time.monotonic() + START_S
        while not runner.finished.wait(WAIT_S):
            self._stops()
            if not runner.begun.is_set() and time.monotonic() > until:
                log.error("the workflow does not begin", extra={"job": claim.job})
                runner.give_up()

    def _beat(self) -> None:
        host, digest = socket.gethostname(), self.model.digest
        self._database.run(workers.beat, self.id, host, digest, self._runner.fps)

    def _watch(self) -> None:
        """Write the heartbeat, and look for workers that have none."""
        watch = workers.DeathWatch(self._database)
        next_beat = time.monotonic() + workers.BEAT_S
        while True:
            time.sleep(workers.CHECK_S)
            try:
                if time.monotonic() >= next_beat:
                    self._beat()
                    next_beat += workers.BEAT_S
                if watch.look():
                    log.info("jobs of a dead worker are queued again")
            except DatabaseGoneError as error:
                log.warning("the database is gone", extra={"problem": str(error)})
            except Exception:
                log.exception("fault in the heartbeat")


def new_worker_id(process: int) -> str:
    """A name for one process, which says where it runs."""
    return f"{socket.gethostname()[:60]}-{process}-{secrets.token_hex(4)}"


def prepare_process() -> None:
    """Let this process yield to those that answer clients, and FFmpeg open nothing but files."""
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "protocol_whitelist;file"
    if hasattr(os, "nice"):
        os.nice(NICE)


def limit_memory() -> None:
    """Bound this process's address space: a video may ask for MORE_MEMORY at most."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):  # Linux has both.
        return
    most = pages * resource.getpagesize() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
