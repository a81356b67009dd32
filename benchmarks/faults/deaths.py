"""Processes that are killed while jobs run."""

from __future__ import annotations

import time
from pathlib import Path

from faults.client import Row, running, upload, wait_for_all
from faults.processes import Executors, Trouble
from faults.verdict import judge, undisturbed, undisturbed_by_count
from tests.support.video_server import FINAL, VideoServer, wait_until

# From the death of an executor to the moment its jobs continue elsewhere.
CONTINUED_S = 20.0


def kills(server: VideoServer, videos: list[Path], trouble: Trouble, where: str) -> Row:
    """Random kills during all jobs, one of them within an upload's last PATCH."""
    right = undisturbed(server, videos, {"any_class": True})
    again = {"any_class": True, "lines": ["0,0.6,1,0.6,road"]}
    right_again = undisturbed_by_count(videos, again)
    assert [one["unique"] for one in right] == [one["unique"] for one in right_again]
    jobs = [upload(server, videos[0], again, cut=True)]
    trouble.begin(jobs, sum(report["frames"] for report in right))
    for video in videos[1:]:
        jobs.append(upload(server, video, again))
    wait_for_all(server, jobs)
    trouble.end()
    row = judge(server, jobs, right_again, trouble.kills + 1)
    row["ok"] = row["ok"] and not trouble.missed
    return {"what": f"kill -9, {where}", **row}


def dead_for_good(server: VideoServer, videos: list[Path], executors: Executors) -> Row:
    """One executor dies for good: how long until its jobs continue elsewhere."""
    options = {"any_class": True, "lines": ["0,0.5,1,0.5,middle"]}
    right = undisturbed_by_count(videos, options)
    jobs = [upload(server, video, options) for video in videos]
    wait_until(lambda: len(running(server, jobs)) >= 2, "no two jobs run")
    before = running(server, jobs)
    executors.kill_for_good(0)
    died = time.monotonic()
    moved: dict[str, float] = {}

    def look() -> bool:
        for job, attempt in before.items():
            document = server.job(job)
            if job not in moved and (document["attempt"] > attempt or document["state"] in FINAL):
                moved[job] = time.monotonic() - died
        return len(moved) == len(before)

    wait_until(look, "the dead executor's jobs do not continue", patience_s=60)
    row = judge(server, jobs, right, 1)
    continued_s = max(moved.values())
    return {
        "what": "an executor killed for good",
        **row,
        "continued_s": continued_s,
        "ok": row["ok"] and continued_s <= CONTINUED_S,
    }
