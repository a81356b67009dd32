"""MQTT: events, periods and totals as messages of a broker, with Home Assistant discovery."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tallylens.edge_runtime.errors import MissingExtraError, UsageError
from tallylens.sinks.home_assistant import discovery
from tallylens.sinks.transport import DeliveryError, Message, key_of

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessageInfo

PASSWORD = "TALLYLENS_MQTT_PASSWORD"
TIMEOUT_S = 10.0
URL = "Use mqtt://[USER@]HOST[:PORT][/PREFIX][?discovery=homeassistant], or mqtts://"


class MqttTransport:
    """Publishes with QoS 1, below a prefix: `events`, `periods`, `totals`, `status`.

    `totals` and `status` (`online` or `offline`) are retained. See `Transport`.

    Args:
        url: mqtt://[user[:password]@]host[:port][/prefix][?discovery=homeassistant]; mqtts for TLS.
        password: replaces that of the URL.

    Raises:
        UsageError: not such a URL.
        MissingExtraError: paho-mqtt is not installed.
    """

    batch = 100

    def __init__(self, url: str, password: str | None = None) -> None:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        self._prefix = unquote(parts.path).strip("/") or "tallylens"
        if not host or set(options) - {"discovery"} or set(self._prefix) & set("+#\0"):
            raise UsageError("the URL of the MQTT broker is not valid", URL)
        try:
            import paho.mqtt.client  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("paho-mqtt", "mqtt", "--sink mqtt://") from error
        self._secure = parts.scheme == "mqtts"
        self._host, self._port = host, port or (8883 if self._secure else 1883)
        self.name = f"{parts.scheme}://{host}:{self._port}/{self._prefix}"
        self.key = key_of(parts.scheme, host, self.name)
        self._user = None if parts.username is None else unquote(parts.username)
        given = None if parts.password is None else unquote(parts.password)
        self._password = password or given
        self._discovery = options.get("discovery", [""])[0]
        self._announced = False
        self._client: Client | None = None

    def start(self, count: str, sequence: int) -> None:
        """Nothing: a receiver recognizes repeated messages by their `id`."""

    def send(self, messages: Sequence[Message]) -> None:
        """Publish the messages and wait for the broker's acknowledgment of each."""
        self._publish(
            [
                (
                    f"{self._prefix}/{'periods' if one.body['event'] == 'period' else 'events'}",
                    {"id": one.id, **one.body},
                )
                for one in messages
            ],
            retain=False,
        )

    def show(self, totals: Mapping[str, Any]) -> None:
        """Publish the totals, retained; before the first ones what Home Assistant shows."""
        if self._discovery and not self._announced:
            self._publish(discovery(self._discovery, self._prefix, totals), retain=True)
            self._announced = True
        self._publish([(f"{self._prefix}/totals", totals)], retain=True)

    def close(self) -> None:
        """Say `offline` and disconnect."""
        client, self._client = self._client, None
        if client is not None:
            if client.is_connected():
                last = client.publish(f"{self._prefix}/status", "offline", qos=1, retain=True)
                with suppress(ValueError, RuntimeError):
                    last.wait_for_publish(1.0)
            client.disconnect()
            client.loop_stop()

    def _publish(self, messages: Sequence[tuple[str, Mapping[str, Any]]], *, retain: bool) -> None:
        client = self._connected()
        sent = [
            client.publish(topic, json.dumps(body), qos=1, retain=retain)
            for topic, body in messages
        ]
        end = time.monotonic() + TIMEOUT_S
        for one in sent:
            # A lost connection ends the wait.
            while not _is_published(one) and client.is_connected() and time.monotonic() < end:
                with suppress(ValueError, RuntimeError):
                    one.wait_for_publish(0.2)
            if not _is_published(one):
                lost = not client.is_connected()
                self._abandon()
                raise DeliveryError("the connection is lost" if lost else "no acknowledgment")

    def _connected(self) -> Client:
        if self._client is not None and self._client.is_connected():
            return self._client
        self._abandon()
        client, answered, refusal = self._new_client()
        try:
            client.connect(self._host, self._port, keepalive=30)
        except (OSError, ValueError) as error:
            raise DeliveryError(_reason(error)) from error
        client.loop_start()
        self._client = client
        if not answered.wait(TIMEOUT_S) or not client.is_connected():
            self._abandon()
            raise DeliveryError(refusal[0] if refusal else "the broker does not answer")
        client.publish(f"{self._prefix}/status", "online", qos=1, retain=True)
        return client

    def _new_client(self) -> tuple[Client, threading.Event, list[str]]:
        from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
        from paho.mqtt.enums import CallbackAPIVersion
        from paho.mqtt.properties import Properties
        from paho.mqtt.reasoncodes import ReasonCode

        answered, refusal = threading.Event(), list[str]()

        def connected(
            _client: Client,
            _data: object,
            _flags: ConnectFlags,
            code: ReasonCode,
            _more: Properties | None,
        ) -> None:
            if code.is_failure:
                refusal.append(f"the broker refuses the connection: {code}".lower())
            answered.set()

        def disconnected(
            _client: Client,
            _data: object,
            _flags: DisconnectFlags,
            _code: ReasonCode,
            _more: Properties | None,
        ) -> None:
            answered.set()

        client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.on_connect = connected
        client.on_disconnect = disconnected
        client.connect_timeout = TIMEOUT_S
        client.max_inflight_messages_set(self.batch)
        if self._user is not None or self._password is not None:
            client.username_pw_set(self._user or "", self._password)
        if self._secure:
            client.tls_set()
        client.will_set(f"{self._prefix}/status", "offline", qos=1, retain=True)
        return client, answered, refusal

    def _abandon(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()


def password_from_environment() -> str | None:
    """The password of `TALLYLENS_MQTT_PASSWORD`, None without."""
    return os.environ.get(PASSWORD) or None


def _is_published(sent: MQTTMessageInfo) -> bool:
    try:
        return sent.is_published()
    except (ValueError, RuntimeError):  # not queued: the connection was lost before
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message})"
    if isinstance(error, socket.gaierror):
        return "its host name is not known"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    return (error.strerror if isinstance(error, OSError) else None) or "it cannot be reached"
