"""Opens a sink by its address: mqtt, mqtts, http, https or sqlite."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.sources import no_notice
from tallylens.sinks.delivery import MAX_WAITING, DeliverySink
from tallylens.sinks.spool import Spool
from tallylens.sinks.transport import Transport

REMEDY = "Use mqtt://HOST/PREFIX, https://HOST/PATH or sqlite:///FILE.db"


def open_sink(
    url: str,
    *,
    spool: Path | None = None,
    limit: int = MAX_WAITING,
    on_notice: Callable[[str], None] = no_notice,
) -> DeliverySink:
    """A sink for `Counter.add_sink`.

    Args:
        url: mqtt(s)://[user@]host[:port][/prefix], http(s)://host/path, or sqlite:///file (with
            four slashes for an absolute path). Give secrets in TALLYLENS_MQTT_PASSWORD and
            TALLYLENS_WEBHOOK_SECRET.
        spool: a folder that keeps what is not delivered for the next count.
        limit: maximum number of messages that wait; beyond it the oldest are dropped.
        on_notice: receives a sentence when delivery stops and when it resumes.

    Raises:
        UsageError: not such an address.
        MissingExtraError: MQTT without the extra `mqtt`.
    """
    transport = _transport(url)
    kept = None if spool is None else Spool(spool, transport.key, limit)
    return DeliverySink(transport, spool=kept, limit=limit, on_notice=on_notice)


def open_sinks(
    urls: Iterable[str],
    *,
    spool: Path | None = None,
    on_notice: Callable[[str], None] = no_notice,
) -> list[DeliverySink]:
    """Open each address once.

    Raises:
        UsageError: not such an address, or one that is given twice.
    """
    sinks: dict[str, DeliverySink] = {}
    for url in urls:
        sink = open_sink(url, spool=spool, on_notice=on_notice)
        if sink.key in sinks:
            raise UsageError(f"the sink {sink.name} is given twice", "Give each sink once")
        sinks[sink.key] = sink
    return list(sinks.values())


def _transport(url: str) -> Transport:
    scheme = url.partition(":")[0].lower()
    if scheme in ("mqtt", "mqtts"):
        from tallylens.sinks.mqtt import MqttTransport, password_from_environment

        return MqttTransport(url, password_from_environment())
    if scheme in ("http", "https"):
        from tallylens.sinks.webhook import WebhookTransport, secret_from_environment

        return WebhookTransport(url, secret_from_environment())
    path = url.removeprefix("sqlite:///")
    if path != url and path:
        from tallylens.sinks.sqlite import SqliteTransport

        return SqliteTransport(Path(path))
    # The address may hold a password.
    raise UsageError("the address of a sink is not valid", REMEDY)
