"""Tests of errors: as documents for programs, as pages for people, with limits and the next try."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from fastapi import FastAPI, Request

from tallylens.cloud_fallback.jobs.database import DatabaseGoneError
from tallylens.cloud_fallback.jobs.openapi import TAGS, describe
from tallylens.cloud_fallback.jobs.pages.forms import problem_page
from tallylens.cloud_fallback.jobs.problems import ProblemError, handle_problems
from tallylens.cloud_fallback.jobs.rate_limit import RateLimit
from tallylens.edge_runtime.version import __version__
from tests.support.people import forget_tries, somebody
from tests.support.video_server import TUS, VideoServer

DOCUMENT = {"Sec-Fetch-Dest": "document", "Accept": "text/html,*/*;q=0.8"}
POLICY = re.compile(r'"[a-z-]+";q=\d+;(?:w=\d+|qu="concurrent-requests")')
LIMIT = re.compile(r'"[a-z-]+";r=0;t=\d+')


def check_limits(headers: httpx.Headers | dict[str, str]) -> None:
    """The fields of the draft: one policy and its state, for as long as Retry-After says."""
    assert POLICY.fullmatch(headers["ratelimit-policy"])
    assert LIMIT.fullmatch(headers["ratelimit"])
    name = headers["ratelimit-policy"].partition(";")[0]
    assert headers["ratelimit"] == f"{name};r=0;t={headers['retry-after']}"


@pytest.mark.parametrize("status", [429, 503])
def test_busy_answers_say_when_and_which_limit(status: int) -> None:
    check_limits(ProblemError(status, "busy", "Wait").headers)
    limit = RateLimit("tries", 5, 60)
    headers = ProblemError(status, "busy", "Wait", retry_s=7.2, limit=limit).headers
    assert headers["retry-after"] == "8"
    assert headers["ratelimit-policy"] == '"tries";q=5;w=60'
    assert headers["ratelimit"] == '"tries";r=0;t=8'
    assert ProblemError(409, "no", "Wait").headers == {}
    assert ProblemError(507, "full", "Wait", retry_s=3).headers == {"retry-after": "3"}


def app_with_faults() -> FastAPI:
    app = FastAPI()
    handle_problems(app, problem_page)

    @app.get("/v1/{kind}")
    @app.get("/pages/{kind}")
    async def fault(kind: str, request: Request) -> None:
        raise {
            "problem": ProblemError(409, "it is <so>", "Wait"),
            "signed-out": ProblemError(401, "no key", "Send one"),
            "database": DatabaseGoneError("postgresql://x:***@h/d", "refused"),
        }.get(kind) or RuntimeError("the secret reason")

    return app


def ask(path: str, **headers: str) -> httpx.Response:
    async def work() -> httpx.Response:
        transport = httpx.ASGITransport(app_with_faults(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(work())


@pytest.mark.parametrize("prefix", ["/v1", "/pages"])
@pytest.mark.parametrize(
    ("kind", "status"), [("problem", 409), ("database", 503), ("fault", 500), ("a/b", 404)]
)
def test_errors_are_documents_for_programs(prefix: str, kind: str, status: int) -> None:
    answer = ask(f"{prefix}/{kind}", Accept="*/*")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert "secret" not in answer.text
    if status == 503:
        check_limits(answer.headers)


@pytest.mark.parametrize("prefix", ["/v1", "/pages"])
@pytest.mark.parametrize(
    ("kind", "status"), [("problem", 409), ("database", 503), ("fault", 500), ("a/b", 404)]
)
def test_errors_are_pages_for_people(prefix: str, kind: str, status: int) -> None:
    for cookie, shown in (("", "Register"), ("__Host-session=x", "Videos")):
        answer = ask(f"{prefix}/{kind}", Cookie=cookie, **DOCUMENT)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert f">{shown}</a>" in answer.text
        assert "Internal Server Error" not in answer.text
        assert "secret" not in answer.text
        assert "<so>" not in answer.text
        if status == 503:
            check_limits(answer.headers)


def test_somebody_who_is_signed_out_is_sent_to_the_form() -> None:
    answer = ask("/v1/signed-out", **DOCUMENT)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert ask("/v1/signed-out", Accept="text/html").status_code == 401


def test_the_document_says_whose_it_is() -> None:
    app = FastAPI()
    describe(app)
    info = app.openapi()["info"]
    assert (info["title"], info["version"]) == ("tallylens videos", __version__)
    assert info["license"] == {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
    assert "RateLimit-Policy" in info["description"]


@pytest.mark.slow
class TestServer:
    """Over HTTP."""

    def test_each_tag_is_described(self, idle_server: VideoServer) -> None:
        document = idle_server.client.get("/v1/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        operations = [one for path in document["paths"].values() for one in path.values()]
        tags = {tag for one in operations for tag in one["tags"]}
        assert tags == set(TAGS) == {one["name"] for one in document["tags"]}
        for one in operations:
            assert one["description"], one["operationId"]
            for status in ("429", "503"):
                fields = {"Retry-After", "RateLimit", "RateLimit-Policy"}
                assert set(one["responses"][status]["headers"]) == fields

    def test_open_uploads_and_streams_have_limits(self, idle_server: VideoServer) -> None:
        forget_tries(idle_server.videos)
        person = somebody(idle_server)
        headers = {**TUS, "Upload-Length": "5"}
        answers = [person.request("POST", "/v1/uploads", headers=headers) for _ in range(3)]
        assert [one.status_code for one in answers] == [201, 201, 429]
        check_limits(answers[2].headers)
        policy = '"open-uploads";q=2;qu="concurrent-requests"'
        assert answers[2].headers["ratelimit-policy"] == policy

    def test_a_page_that_is_not_there(self, idle_server: VideoServer) -> None:
        person = somebody(idle_server)
        answer = person.request("GET", "/nothing", headers={"Accept": "text/html"})
        assert (answer.status_code, ">Account</a>" in answer.text) == (404, True)
        answer = person.request("GET", "/v1/jobs/job_0/report.csv", headers=DOCUMENT)
        assert (answer.status_code, "There is no such job" in answer.text) == (404, True)
