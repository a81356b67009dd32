"""The FastAPI application: assembles the routes around one service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

from fastapi import APIRouter, FastAPI

from .access import handle_refusals
from .routes import ROUTERS
from .service import Service


class AppExtension(Protocol):
    """More of the application, such as the service of uploaded videos."""

    def install(self, app: FastAPI) -> None:
        """Add routes and handlers of errors."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """Run the tasks beside the requests, for the length of the block."""
        ...

    def drain(self) -> None:
        """A shutdown begins: end streams that would not end on their own."""
        ...


def create_app(
    service: Service,
    routers: Sequence[APIRouter] = ROUTERS,
    extensions: Sequence[AppExtension] = (),
) -> FastAPI:
    """The application around `service`; its lifespan runs the service and the extensions."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for extension in extensions:
                await stack.enter_async_context(extension.running())
            await stack.enter_async_context(service.running())
            yield

    app = FastAPI(
        lifespan=lifespan,
        openapi_url="/v1/openapi.json" if extensions else None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    handle_refusals(app)
    # The last router takes every path of a websocket, so that others come first.
    for extension in extensions:
        extension.install(app)
    for router in routers:
        app.include_router(router, include_in_schema=False)
    return app
