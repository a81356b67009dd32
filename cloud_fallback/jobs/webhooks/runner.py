"""Makes the deliveries that are due, many at a time; several processes may do so at once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

from ..database import Database, DatabaseGoneError
from . import delivery_queue
from .delivery_queue import Delivery
from .sender import Sender
from .signing import signed_headers

log = logging.getLogger("tallylens.jobs")
EVERY_S = 1.0
AT_ONCE = 32
# So that one receiver that does not answer leaves some for all others.
AT_ONCE_OF_ONE = 4


class WebhookRunner:
    """Delivers until canceled.

    Args:
        database: of the deliveries.
        sender: sends one message.
    """

    def __init__(self, database: Database, sender: Sender) -> None:
        self._database, self._sender = database, sender
        self._running: set[asyncio.Task[None]] = set()
        self._of_webhook: Counter[str] = Counter()

    async def run(self) -> None:
        """Look each second for what is due."""
        try:
            while True:
                try:
                    await self.start_due()
                except DatabaseGoneError:
                    pass
                except Exception:
                    log.exception("fault while delivering")
                await asyncio.sleep(EVERY_S)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def start_due(self) -> int:
        """Start the deliveries that are due; returns their number."""
        free = AT_ONCE - len(self._running)
        if free <= 0:
            return 0
        busy = [one for one, number in self._of_webhook.items() if number >= AT_ONCE_OF_ONE]
        claimed = await self._database.call(delivery_queue.claim, min(free, AT_ONCE_OF_ONE), busy)
        for delivery in claimed:
            self._of_webhook[delivery.webhook] += 1
            task = asyncio.create_task(self._deliver(delivery))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(claimed)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            body = delivery.body.encode()
            headers = signed_headers(delivery.event_id, int(time.time()), body, delivery.secrets)
            outcome = await self._sender.send(delivery.url, body, headers)
            log.info(
                "webhook",
                extra={
                    "delivery": delivery.id,
                    "attempt": delivery.attempt,
                    "status": outcome.status,
                    "problem": None if outcome.delivered else outcome.answer[:200],
                },
            )
            await self._database.call(delivery_queue.record, delivery, outcome)
        except DatabaseGoneError:
            log.warning("the database is gone", extra={"delivery": delivery.id})
        except Exception:
            log.exception("fault while delivering", extra={"delivery": delivery.id})
        finally:
            self._of_webhook[delivery.webhook] -= 1
            if not self._of_webhook[delivery.webhook]:
                del self._of_webhook[delivery.webhook]
