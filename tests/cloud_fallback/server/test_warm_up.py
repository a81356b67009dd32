"""Warming up the process of a server, and dependencies that need no thread."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import APIRouter, Depends

from tallylens.cloud_fallback.jobs.pages import account, entrance, webhooks
from tallylens.cloud_fallback.jobs.pages import routes as pages
from tallylens.cloud_fallback.jobs.routes import ROUTERS as ROUTERS_OF_VIDEOS
from tallylens.cloud_fallback.server.routes import ROUTERS
from tallylens.cloud_fallback.server.warm_up import warm_up

# FastAPI's own spelling of what a route calls.
TREE = "depend" + "ant"
PAGES = (pages.router, entrance.router, account.router, webhooks.router)


@pytest.fixture
def heap() -> Iterator[None]:
    """Undoes what a process that continues must not keep."""
    yield
    gc.unfreeze()


def test_requests_come_first_then_all_leaves_the_collections(heap: None) -> None:
    seen: list[tuple[str, int]] = []

    async def app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        assert (await receive())["more_body"] is False
        seen.append((scope["path"], gc.get_freeze_count()))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    gc.unfreeze()
    asyncio.run(warm_up(app))
    assert seen == [("/healthz", 0), ("/no-such-page", 0)]
    assert gc.get_freeze_count() > 10_000


def calls_in_threads(called: Any) -> Iterator[str]:
    """Dependencies that FastAPI calls in a thread: each costs two wake-ups for each request."""
    for one in called.dependencies:
        if not (inspect.iscoroutinefunction(one.call) or inspect.isasyncgenfunction(one.call)):
            yield getattr(one.call, "__qualname__", repr(one.call))
        yield from calls_in_threads(one)


def test_no_dependency_needs_a_thread() -> None:
    router = APIRouter()

    def in_thread() -> None: ...

    @router.get("/", dependencies=[Depends(in_thread)])
    async def answer() -> None: ...

    def found(routers: tuple[APIRouter, ...]) -> set[str]:
        routes = [route for one in routers for route in one.routes]
        called = [vars(route).get(TREE) for route in routes]
        assert any(called)
        return {name for one in called if one for name in calls_in_threads(one)}

    assert found((router,)) == {"test_no_dependency_needs_a_thread.<locals>.in_thread"}
    assert found((*ROUTERS, *ROUTERS_OF_VIDEOS, *PAGES)) == set()
