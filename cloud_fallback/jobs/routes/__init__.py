"""The HTTP routes of videos; a new one is a module here and its router in `ROUTERS`."""

from . import (
    account,
    accounts,
    cost,
    events,
    feedback,
    jobs,
    keys,
    payments,
    plans,
    reports,
    uploads,
    videos,
    webhooks,
)

ROUTERS = (
    uploads.router,
    videos.router,
    jobs.router,
    reports.router,
    events.router,
    accounts.router,
    account.router,
    keys.router,
    feedback.router,
    cost.router,
    plans.router,
    webhooks.router,
    payments.router,
)
