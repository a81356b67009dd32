"""Templates to answers: Jinja2 that escapes everything, under a policy without inline code."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Response

from . import words
from .assets import asset_path

if TYPE_CHECKING:
    from jinja2 import Environment

# Nothing inline, nothing from elsewhere, and no other site may frame the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: forms would send `Origin: null`, which looks like another site.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("tallylens.cloud_fallback.jobs.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        state=words.state,
        size=words.size,
        day=words.day,
        video=words.video,
        money=words.money,
        moment=words.moment,
        payment=words.payment,
        delivery=words.delivery,
    )
    made.globals["asset"] = asset_path
    return made


def page(name: str, context: Mapping[str, Any], status: int = 200) -> Response:
    """The answer with one page; every value of `context` is escaped."""
    text = _environment().get_template(name).render(context)
    return Response(text, status, HEADERS, "text/html; charset=utf-8")
