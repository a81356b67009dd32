"""The HTTP routes of the service; a new one is a module here and its router in `ROUTERS`."""

from . import health, metrics, stream, tokens

ROUTERS = (health.router, metrics.router, tokens.router, stream.router)
