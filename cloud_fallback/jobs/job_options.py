"""The options of a job: what to count in a video, as clients give them in JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...edge_runtime.counting.counting_options import CountingOptions, counting_options
from ...edge_runtime.counting.detection_filter import detection_filter
from ...edge_runtime.counting.regions import Line, Zone
from ...edge_runtime.errors import UsageError

MAX_REGIONS = 50
MAX_CLASSES = 100
MAX_TEXT = 2000
MAX_JSON = 64 << 10
DEADLINE_S = 1200.0
MAX_DEADLINE_S = 7 * 86_400.0

_TEXTS = {"type": "array", "items": {"type": "string", "maxLength": MAX_TEXT}}
_REGIONS = {**_TEXTS, "maxItems": MAX_REGIONS}
_SIZE = {"type": ["number", "null"], "exclusiveMinimum": 0}
SCHEMA: dict[str, Any] = {
    "lines": {**_REGIONS, "description": "as --line of `tallylens count`: 0,0.6,1,0.6,road"},
    "zones": {**_REGIONS, "description": "as --zone: x1,y1,x2,y2,x3,y3,...,name"},
    "ignore": {**_REGIONS, "description": "as --ignore: objects in them are not counted"},
    "min_size": {**_SIZE, "description": "as --min-size: smaller objects are not counted"},
    "max_size": {**_SIZE, "description": "as --max-size: larger objects are not counted"},
    "classes": {**_TEXTS, "type": ["array", "null"], "maxItems": MAX_CLASSES},
    "any_class": {"type": "boolean", "description": "count all classes as one, `object`"},
    "annotated": {"type": "boolean", "description": "make the annotated video too"},
    "deadline_s": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_DEADLINE_S},
}
"""{name of an option: its JSON Schema}"""


@dataclass(frozen=True)
class JobOptions:
    """The objects and regions that a job counts.

    Args:
        lines, zones, ignore: as `tallylens count --line`, `--zone` and `--ignore` take them, such
            as `0,0.6,1,0.6`.
        classes: names of the classes to count; None counts all.
        any_class: count every detection as one class, `object`.
        annotated: make the annotated video too.
        deadline_s: seconds after acceptance in which the report is wanted.
        min_size, max_size: as `--min-size` and `--max-size`; None sets no bound.
    """

    lines: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    any_class: bool = False
    annotated: bool = False
    deadline_s: float = DEADLINE_S
    ignore: tuple[str, ...] = ()
    min_size: float | None = None
    max_size: float | None = None

    @classmethod
    def parse(cls, text: str) -> JobOptions:
        """The options of a JSON document; an empty text gives the defaults.

        Raises:
            UsageError: not such a document, or a value that cannot be used.
        """
        if not text:
            return cls()
        try:
            document = json.loads(text) if len(text) <= MAX_JSON else None
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise UsageError("the options are not a JSON object", 'Use {"lines": ["0,0.6,1,0.6"]}')
        return cls.of(document)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> JobOptions:
        """The options of a parsed document; raises as `parse` does."""
        unknown = sorted(set(document) - set(SCHEMA))
        if unknown:
            raise UsageError(
                f"the option {unknown[0][:40]!r} is unknown", f"Use {', '.join(SCHEMA)}"
            )
        deadline_s = document.get("deadline_s", DEADLINE_S)
        number = isinstance(deadline_s, int | float) and not isinstance(deadline_s, bool)
        if not number or not 0 < deadline_s <= MAX_DEADLINE_S:
            raise UsageError(
                "the option deadline_s is not a number of seconds above 0", "Use seconds: 1200"
            )
        classes = document.get("classes")
        options = cls(
            _texts(document, "lines", MAX_REGIONS),
            _texts(document, "zones", MAX_REGIONS),
            None if classes is None else _texts(document, "classes", MAX_CLASSES),
            _flag(document, "any_class"),
            _flag(document, "annotated"),
            float(deadline_s),
            _texts(document, "ignore", MAX_REGIONS),
            _size(document, "min_size"),
            _size(document, "max_size"),
        )
        options.counting()
        return options

    def counting(self) -> CountingOptions:
        """The options for a `CountSession`, those of `tallylens count` with the same arguments.

        Raises:
            UsageError: a line or zone that is not one, a size that no object has; options that
                exclude each other.
        """
        from ...edge_runtime.core import CounterOptions

        lines = [Line.parse(text) for text in self.lines]
        zones = [Zone.parse(text) for text in self.zones]
        ignored = [Zone.parse(text, "--ignore") for text in self.ignore]
        only = detection_filter(ignored, self.min_size, self.max_size)
        return counting_options(
            (*lines, *zones), self.classes, self.any_class, CounterOptions(), only
        )

    def to_json(self) -> str:
        """The JSON document; the same text for the same options.

        The options that came later are left out at their defaults: the digests of all others stay.
        """
        default = JobOptions()
        values = dict(vars(self))
        for name in ("ignore", "min_size", "max_size"):
            if values[name] == getattr(default, name):
                del values[name]
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """SHA-256 of what decides the report: all but the deadline."""
        values = json.loads(self.to_json())
        del values["deadline_s"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _texts(document: Mapping[str, Any], name: str, most: int) -> tuple[str, ...]:
    values = document.get(name) or []
    if (
        not isinstance(values, list)
        or len(values) > most
        or not all(isinstance(one, str) and 0 < len(one) <= MAX_TEXT for one in values)
    ):
        raise UsageError(
            f"the option {name} is not a list of at most {most} texts",
            "Write each as `tallylens count` takes it",
        )
    return tuple(values)


def _size(document: Mapping[str, Any], name: str) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(
            f"the option {name} is not a number",
            "Use a fraction of the frame's shorter side, or pixels",
        )
    return float(value)


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"the option {name} is neither true nor false", "Use true or false")
    return value
