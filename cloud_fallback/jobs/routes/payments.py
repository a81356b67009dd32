"""`/v1/payments/{provider}`: messages of payment providers."""

from __future__ import annotations

import logging
import time
from typing import Annotated

from fastapi import APIRouter, Path, Request

from ..callers.dependencies import VideosOf
from ..payments.messages import MAX_BODY, READERS
from ..payments.plan_changes import apply
from ..problems import ProblemError, not_found
from ..webhooks.signing import SignatureError

log = logging.getLogger("tallylens.jobs")
router = APIRouter(prefix="/v1/payments", tags=["payments"])
Provider = Annotated[str, Path(max_length=20, description="stripe or standard")]


@router.post("/{provider}")
async def receive(service: VideosOf, request: Request, provider: Provider) -> dict[str, str]:
    """Take a signed event; one that changes nothing is answered in the same way."""
    secret = service.settings.accounts.payment_secrets.get(provider)
    if secret is None or provider not in READERS:
        raise not_found("payment provider")
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > MAX_BODY:
            raise ProblemError(413, f"the event has more than {MAX_BODY} bytes", "Send less")
    try:
        event = READERS[provider](request.headers, body, secret, time.time())
    except SignatureError as error:
        raise ProblemError(400, str(error), "Check the secret", kind="signature") from error
    except (ValueError, RecursionError) as error:
        raise ProblemError(422, "this is not an event", "See docs/guides/accounts.md") from error
    plans = service.settings.plans
    result = await service.database.call(apply, provider, event, plans)
    extra = {"provider": provider, "event": event.id, "kind": event.kind, "result": result}
    log.info("payment event", extra=extra)
    return {"result": result}
