"""Tests of `ETag` and `Range`."""

from __future__ import annotations

import pytest
from fastapi import Request

from tallylens.cloud_fallback.jobs.problems import ProblemError
from tallylens.cloud_fallback.jobs.ranges import ranged

BODY = b"0123456789"


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw})


@pytest.mark.parametrize(
    ("header", "part", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=-99", BODY, "bytes 0-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
    ],
)
def test_a_part(header: str, part: bytes, content_range: str) -> None:
    answer = ranged(request(range=header), BODY, "text/plain")
    assert (answer.status_code, answer.body) == (206, part)
    assert answer.headers["content-range"] == content_range


@pytest.mark.parametrize("header", ["", "bytes=-", "lines=1-2", "bytes=0-1,3-4", "bytes=a-b"])
def test_anything_else_gives_all(header: str) -> None:
    answer = ranged(request(range=header), BODY, "text/plain")
    assert (answer.status_code, answer.body) == (200, BODY)


def test_a_part_that_is_not_there() -> None:
    with pytest.raises(ProblemError) as problem:
        ranged(request(range="bytes=10-"), BODY, "text/plain")
    assert problem.value.status == 416
    assert problem.value.headers["content-range"] == "bytes */10"


def test_a_client_that_has_the_body() -> None:
    tag = ranged(request(), BODY, "text/plain").headers["etag"]
    assert ranged(request(if_none_match=f'"x", {tag}'), BODY, "text/plain").status_code == 304
    assert ranged(request(if_none_match='"x"'), BODY, "text/plain").status_code == 200
    changed = ranged(request(range="bytes=0-1", if_range='"x"'), BODY, "text/plain")
    assert changed.status_code == 200
