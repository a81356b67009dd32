"""The title, version, license and tags of the OpenAPI document of uploaded videos."""

from __future__ import annotations

from fastapi import FastAPI

from ...edge_runtime.version import __version__

TITLE = "tallylens videos"
DESCRIPTION = """Upload videos, have the objects in them counted, and get the reports.

Requests carry a key: `Authorization: Bearer KEY`. Errors are problem documents (RFC 9457). 429 and
503 say in `Retry-After` when to try again, and in `RateLimit` and `RateLimit-Policy` which limit is
reached. Uploads follow tus 1.0. Lists take `limit` and `after`; their header `Link` has the next
page. Times are RFC 3339 in UTC."""
LICENSE = "Apache-2.0"
TAGS = {
    "uploads": "Videos on their way in (tus 1.0).",
    "videos": "Videos, and counting them again.",
    "jobs": "The state of counts, and changing it.",
    "reports": "Reports of counts: JSON, CSV, a page, an annotated video.",
    "events": "Progress as one stream.",
    "feedback": "Right numbers where a count is wrong.",
    "accounts": "Registering, signing in, passwords.",
    "account": "The account of the caller.",
    "keys": "Keys for programs.",
    "plans": "Plans and usage.",
    "payments": "Signed events of payment providers.",
    "webhooks": "Signed events of jobs, and their deliveries.",
    "cost": "The cost of the service.",
}
"""{tag: its description}"""


def describe(app: FastAPI) -> None:
    """Say what the document is about."""
    app.title, app.version, app.description = TITLE, __version__, DESCRIPTION
    app.summary = "Count objects in uploaded videos."
    app.license_info = {"name": "Apache License 2.0", "identifier": LICENSE}
    app.openapi_tags = [{"name": name, "description": text} for name, text in TAGS.items()]
