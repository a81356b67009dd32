"""Home Assistant discovery: the sensors that a count offers, as retained MQTT messages.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any


def discovery(
    root: str, prefix: str, totals: Mapping[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """(topic, configuration) of each sensor: all objects, crossings by direction, zones.

    Args:
        root: Home Assistant's discovery prefix, `homeassistant` unless it was changed.
        prefix: of the count's own topics.
        totals: the document of the topic `totals`.
    """
    node = re.sub(r"[^a-zA-Z0-9_-]", "_", prefix)
    return [
        (
            f"{root}/sensor/{node}/{sensor}/config",
            {
                "name": name,
                "unique_id": f"{node}_{sensor}",
                "state_topic": f"{prefix}/totals",
                "value_template": f"{{{{ value_json{path}.values() | sum }}}}",
                "json_attributes_topic": f"{prefix}/totals",
                "json_attributes_template": f"{{{{ value_json{path} | tojson }}}}",
                "state_class": state_class,
                "availability_topic": f"{prefix}/status",
                "device": {
                    "identifiers": [node],
                    "name": prefix,
                    "manufacturer": "tallylens",
                },
            },
        )
        for sensor, name, path, state_class in _sensors(totals)
    ]


def _sensors(totals: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    yield "unique", "objects", "['unique']", "total_increasing"
    for index, line in enumerate(totals["lines"]):
        for way in ("in", "out"):
            path = f"['lines'][{index}]['{way}']"
            yield f"line{index}_{way}", f"{line['name']} {way}", path, "total_increasing"
    for index, zone in enumerate(totals["zones"]):
        for what, state_class in (("now", "measurement"), ("entered", "total_increasing")):
            path = f"['zones'][{index}]['{what}']"
            yield f"zone{index}_{what}", f"{zone['name']} {what}", path, state_class
