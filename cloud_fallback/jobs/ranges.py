"""Answers with `ETag` and `Range` (RFC 9110) for bodies that are in memory."""

from __future__ import annotations

import hashlib
import re

from fastapi import Request, Response

from .problems import ProblemError


def ranged(request: Request, body: bytes, media_type: str) -> Response:
    """The body, the part of it that is asked for, or 304 if the client has it.

    Raises:
        ProblemError: 416 for a part that is not in the body.
    """
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "accept-ranges": "bytes", "cache-control": "private, no-cache"}
    if tag in re.split(r"\s*,\s*", request.headers.get("if-none-match", "").replace("W/", "")):
        return Response(status_code=304, headers=headers)
    part = None
    if request.headers.get("if-range") in (None, tag):
        part = _part(request.headers.get("range", ""), len(body))
    if part is None:
        return Response(body, media_type=media_type, headers=headers)
    start, end = part
    headers["content-range"] = f"bytes {start}-{end - 1}/{len(body)}"
    return Response(body[start:end], 206, headers, media_type)


def _part(header: str, length: int) -> tuple[int, int] | None:
    """Start and end of the one range of a header; None for none, or several: then all is sent."""
    found = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if found[1]:
        start, end = int(found[1]), int(found[2] or length) + bool(found[2])
    else:
        start, end = max(0, length - int(found[2])), length
    end = min(end, length)
    if start >= end:
        raise ProblemError(
            416,
            f"bytes {start} to {end} are not in the {length} bytes",
            "Ask for less",
            headers={"content-range": f"bytes */{length}"},
        )
    return start, end
