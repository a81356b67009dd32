"""The FastAPI application: assembles the routes around one service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from .access import handle_refusals
from .routes import ROUTERS
from .service import Service


def create_app(service: Service, routers: Sequence[APIRouter] = ROUTERS) -> FastAPI:
    """The application around `service`; its lifespan runs the service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.state.service = service
    handle_refusals(app)
    for router in routers:
        app.include_router(router)
    return app
