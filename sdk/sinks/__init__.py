"""Sinks that send the events of a count to an MQTT broker, a webhook or a SQLite database."""

from __future__ import annotations

from tallylens.sinks.delivery import DeliverySink
from tallylens.sinks.open import open_sink, open_sinks

__all__ = ["DeliverySink", "open_sink", "open_sinks"]
