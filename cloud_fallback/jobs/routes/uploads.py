"""`/v1/uploads`: resumable uploads (tus 1.0)."""

from __future__ import annotations

from email.utils import formatdate
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from starlette.requests import ClientDisconnect

from ...server.http_protocols import SOCKET
from ..announcement import announced
from ..callers.dependencies import AccountOf, VideosOf
from ..idempotency import IdempotentRoute
from ..identifiers import with_prefix
from ..problems import ProblemError
from ..uploads import IDLE_S

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], route_class=IdempotentRoute)
VERSION = "1.0.0"
EXTENSIONS = "creation,termination,expiration"
MEDIA_TYPE = "application/offset+octet-stream"
UploadId = Annotated[str, Path(alias="upload", max_length=64)]
Resumable = Annotated[str | None, Header(alias="Tus-Resumable", max_length=20)]


def _check_version(version: str | None) -> None:
    if version != VERSION:
        raise ProblemError(
            412,
            "Tus-Resumable is not 1.0.0",
            "Send Tus-Resumable: 1.0.0",
            headers={"tus-version": VERSION},
        )


def _answer(status: int, headers: dict[str, str]) -> Response:
    fixed = {"tus-resumable": VERSION, "cache-control": "no-store"}
    return Response(status_code=status, headers={**fixed, **headers})


@router.options("", status_code=204)
async def options(videos: VideosOf) -> Response:
    """The version and extensions of tus that this server has."""
    return _answer(
        204,
        {
            "tus-version": VERSION,
            "tus-extension": EXTENSIONS,
            "tus-max-size": str(videos.largest_video),
        },
    )


@router.post("", status_code=201)
async def create(
    videos: VideosOf,
    account: AccountOf,
    version: Resumable = None,
    length: Annotated[str | None, Header(alias="Upload-Length", max_length=20)] = None,
    metadata: Annotated[str, Header(alias="Upload-Metadata", max_length=65536)] = "",
) -> Response:
    """Announce a file; `Location` is where its bytes go."""
    _check_version(version)
    given = announced(length, metadata, account.plan)
    upload, expires = await videos.uploads.create(account, given)
    return _answer(
        201,
        {
            # A path: neither Host nor X-Forwarded-Host has a say in it.
            "location": f"/v1/uploads/{upload}",
            "upload-expires": formatdate(expires / 1e6, usegmt=True),
        },
    )


@router.head("/{upload}")
async def offset(
    videos: VideosOf, account: AccountOf, upload: UploadId, version: Resumable = None
) -> Response:
    """How many bytes of the file have arrived."""
    _check_version(version)
    row, size = await videos.uploads.find(account, upload)
    headers = {
        "upload-offset": str(size),
        "upload-length": str(size if row is None else row.length),
    }
    return _answer(200, {**headers, **_video_of(upload)})


@router.patch("/{upload}", status_code=204)
async def append(
    request: Request,
    videos: VideosOf,
    account: AccountOf,
    upload: UploadId,
    version: Resumable = None,
    at: Annotated[str | None, Header(alias="Upload-Offset", max_length=20)] = None,
) -> Response:
    """Append bytes from an offset on; the last ones make the video and its job."""
    _check_version(version)
    if request.headers.get("content-type") != MEDIA_TYPE:
        raise ProblemError(415, "the body is not bytes of a file", f"Send it as {MEDIA_TYPE}")
    if at is None or not at.isascii() or not at.isdigit():
        raise ProblemError(400, "Upload-Offset is missing or not a number", "Send the offset")
    _allow_time(request)
    try:
        reached = await videos.uploads.append(account, upload, int(at), request.stream())
    except ClientDisconnect:
        # Nobody reads this answer.
        return _answer(408, {})
    return _answer(204, {"upload-offset": str(reached), **_video_of(upload)})


@router.delete("/{upload}", status_code=204)
async def end(
    videos: VideosOf, account: AccountOf, upload: UploadId, version: Resumable = None
) -> Response:
    """End an upload that is not complete."""
    _check_version(version)
    await videos.uploads.delete(account, upload)
    return _answer(204, {})


def _video_of(upload: str) -> dict[str, str]:
    """Where the video of a complete upload is, for clients of this server."""
    return {"tallylens-video": f"/v1/videos/{with_prefix('vid', upload)}"}


def _allow_time(request: Request) -> None:
    """Let this body take its time: each byte extends it, unlike that of other requests."""
    entry: Any = request.scope.get("extensions", {}).get(SOCKET)
    if entry is not None:
        entry.expect_body(2 * IDLE_S)
