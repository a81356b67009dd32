"""Templates to answers: Jinja2 that escapes everything, under a policy without inline code."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Response

from ..sign_in.captcha import Provider
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
        heading=words.heading,
    )
    made.globals["asset"] = asset_path
    return made


def page(
    name: str, context: Mapping[str, Any], status: int = 200, provider: Provider | None = None
) -> Response:
    """The answer with one page; every value of `context` is escaped.

    Args:
        provider: of the captcha that the page shows; the policy lets in what that needs.
    """
    text = _environment().get_template(name).render(context)
    headers = {"content-security-policy": _policy(provider), **HEADERS}
    return Response(text, status, headers, "text/html; charset=utf-8")


def _policy(provider: Provider | None) -> str:
    """The policy of a page, wider only by the sources of its captcha."""
    if provider is None:
        return POLICY
    more = dict.fromkeys(("script-src", "frame-src"), provider.sources)
    if provider.styles:
        more |= dict.fromkeys(("style-src", "connect-src"), provider.styles)
    found = POLICY
    for name, sources in more.items():
        found = found.replace(f"{name} 'self'", f"{name} 'self' {sources}")
    return found
