"""Jobs and videos in words; page.js says the same of a job while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from ..clock import now_us, rfc3339

MIB = 1 << 20
HEADINGS = {
    402: "The plan is used up",
    403: "Not allowed",
    404: "Not found",
    409: "Not possible now",
    413: "Too large",
    422: "Not valid",
    429: "Too many",
    500: "A fault of the server",
    503: "Not available now",
    507: "No space now",
}
"""{status: heading of its page}; others have that of HTTP."""


def state(job: Mapping[str, Any]) -> str:
    """The state of a job, with the time that is left."""
    kind = job["state"]
    if kind == "queued":
        return f"Waiting for its turn{_left(job)}."
    if kind == "running":
        total = f" of {job['total']:,}" if job["total"] else ""
        return f"Counting: {job['frames']:,}{total} frames{_left(job)}."
    if kind == "done":
        return f"Done: {job['frames']:,} frames counted."
    if kind == "failed":
        return f"Failed: {(job['error'] or 'unknown reason').rstrip('.')}."
    return "Canceled."


def _left(job: Mapping[str, Any]) -> str:
    text = ""
    if job.get("eta"):
        seconds = (datetime.fromisoformat(job["eta"]) - datetime.now(UTC)).total_seconds()
        text = f", about {duration(max(1.0, seconds))} left"
    if job.get("late_s"):
        text += f", {duration(job['late_s'])} late"
    return text


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def size(number: int) -> str:
    """Bytes in MiB."""
    return f"{number / MIB:,.1f} MiB"


def day(moment: str | None) -> str:
    """A time of the interface to the minute, in UTC."""
    return "never" if moment is None else f"{moment[:10]} {moment[11:16]} UTC"


def heading(problem: Mapping[str, Any]) -> str:
    """The heading of the page of a problem document."""
    return HEADINGS.get(problem["status"], str(problem["title"]))


def moment(time_us: int) -> str:
    """A time of the database to the minute, in UTC."""
    return day(rfc3339(time_us))


def payment(row: Row[Any], plan: str) -> str:
    """Until when the plan of an account's row is paid; `plan` is the one that it has now."""
    if row.email is None:
        return "None: the key is in the key file of the server."
    if not row.plan:
        return "None."
    if row.plan_until is None:
        return "Paid, without an end."
    until = moment(row.plan_until)
    if row.plan_until > now_us():
        return f"Paid until {until}."
    return f"The plan {row.plan} ended {until}; it is {plan} until it is paid again."


def delivery(document: Mapping[str, Any]) -> str:
    """The state of a delivery, with the last answer."""
    tries = f"{document['attempt']} attempt{'' if document['attempt'] == 1 else 's'}"
    text = f"{document['state'].capitalize()} after {tries}"
    if document["status"] is not None:
        text += f", answered with {document['status']}"
    if document["next"] is not None:
        text += f", next attempt {day(document['next'])}"
    answer = document["answer"]
    return f"{text}: {answer}" if answer else f"{text}."


def video(document: Mapping[str, Any]) -> str:
    """Size and length of a video: by its probe, or only its bytes without."""
    probe = document["probe"]
    if probe is None:
        return size(document["bytes"])
    rate = f"{probe['fps']:g} frames/s"
    return (
        f"{probe['width']} x {probe['height']}, {probe['seconds']:.1f} s, {rate}, "
        f"{probe['frames']:,} frames, {size(document['bytes'])}"
    )


def money(value: float) -> str:
    """US dollars."""
    return f"{value:,.2f}"
