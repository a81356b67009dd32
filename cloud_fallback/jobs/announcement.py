"""The announcement of a file: headers of a creation request of tus 1.0, within the plan.

See https://tus.io/protocols/resumable-upload.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from ...edge_runtime.errors import UsageError
from ...edge_runtime.text import printable
from .job_options import JobOptions
from .plans import Plan
from .problems import ProblemError

MAX_NAME = 200
MAX_METADATA = 64 << 10


@dataclass(frozen=True)
class Announced:
    """A file as a client announces it, before it sends it."""

    length: int
    name: str
    options: JobOptions


def parse_metadata(header: str) -> dict[str, str]:
    """The pairs of an `Upload-Metadata` header: `key base64,key base64`.

    Raises:
        ProblemError: it is not one.
    """
    pairs: dict[str, str] = {}
    if len(header) > MAX_METADATA:
        raise _bad("Upload-Metadata is too long")
    for part in header.split(",") if header.strip() else ():
        key, _, value = part.strip().partition(" ")
        try:
            text = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise _bad("Upload-Metadata is not valid base64 of UTF-8") from error
        if not key or not key.isascii() or key in pairs:
            raise _bad("Upload-Metadata has an empty key, or one twice")
        pairs[key] = text
    return pairs


def clean_name(name: str) -> str:
    """The file's own name, without folders and without what a terminal or page would act on."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return printable(last, MAX_NAME).strip() or "video"


def announced(length: str | None, metadata: str, plan: Plan) -> Announced:
    """The file that the headers of a creation request announce.

    Raises:
        ProblemError: they are invalid, or beyond the plan.
    """
    if length is None or not length.isascii() or not length.isdigit() or len(length) > 15:
        raise _bad("Upload-Length is missing or not a number")
    if int(length) == 0:
        raise ProblemError(400, "the file is empty", "Choose a video")
    if int(length) > plan.video.bytes:
        raise ProblemError(
            413,
            f"the file has {int(length)} bytes, and at most {plan.video.bytes} are allowed",
            "Send a shorter video, or one with a lower bit rate",
            headers={"tus-max-size": str(plan.video.bytes)},
        )
    pairs = parse_metadata(metadata)
    try:
        options = JobOptions.parse(pairs.get("options", ""))
    except UsageError as error:
        raise ProblemError(422, error.problem, error.remedy, kind="options") from error
    return Announced(int(length), clean_name(pairs.get("filename", "")), options)


def _bad(detail: str) -> ProblemError:
    return ProblemError(400, detail, "Follow https://tus.io/protocols/resumable-upload")
