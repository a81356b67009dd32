"""The style sheet, the script and the icon of the pages, under paths that change with them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastapi import Response

MEDIA_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_FOLDER = Path(__file__).with_name("static")
_BYTES = {name: (_FOLDER / name).read_bytes() for name in MEDIA_TYPES}
_VERSION = hashlib.sha256(b"".join(_BYTES.values())).hexdigest()[:12]


def asset_path(name: str) -> str:
    """The path of a file; it changes with the files, so that browsers may keep them."""
    return f"/assets/{_VERSION}/{name}"


def asset(version: str, name: str) -> Response | None:
    """The answer with a file; None if there is none of this name."""
    if name not in _BYTES:
        return None
    life = "public, max-age=31536000, immutable" if version == _VERSION else "no-cache"
    headers = {"cache-control": life, "x-content-type-options": "nosniff"}
    return Response(_BYTES[name], headers=headers, media_type=MEDIA_TYPES[name])
