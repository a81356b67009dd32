"""Rows of videos and jobs as JSON documents of the HTTP interface."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from .clock import rfc3339

FORMS = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
}
"""{extension of a report: its media type}"""


def video_document(row: Row[Any]) -> dict[str, Any]:
    """A video."""
    return {
        "id": row.id,
        "name": row.name,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "state": row.state,
        "reason": row.reason,
        "probe": None if row.probe is None else json.loads(row.probe),
        "created": rfc3339(row.created),
        "expires": rfc3339(row.expires),
    }


def job_document(row: Row[Any], times: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A job; `times` adds what is computed now: `fps`, `eta`, `late_s`."""
    done = row.state == "done"
    options = json.loads(row.options)
    forms = [*FORMS, "mp4"] if options.get("annotated") else list(FORMS)
    reports = {form: f"/v1/jobs/{row.id}/report.{form}" for form in forms}
    has_report = done and row.kind == "count"
    return {
        "id": row.id,
        "video": row.video,
        "kind": row.kind,
        "state": row.state,
        "frames": row.frames,
        "total": row.total,
        "attempt": row.attempt,
        "error": row.error,
        "options": options,
        "same_as": row.same_as if done else None,
        "deadline": rfc3339(row.deadline),
        "created": rfc3339(row.created),
        "started": rfc3339(row.started),
        "finished": rfc3339(row.finished),
        # As text: nanoseconds and microseconds do not fit into the numbers of JavaScript.
        "version": str(row.version),
        "reports": reports if has_report else None,
        **(times or {}),
    }
