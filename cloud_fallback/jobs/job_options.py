"""The options of a job: what to count in a video, as clients give them in JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...edge_runtime.counting.counting_options import CountingOptions, counting_options
from ...edge_runtime.counting.regions import Line, Zone
from ...edge_runtime.errors import UsageError

MAX_REGIONS = 50
MAX_CLASSES = 100
MAX_TEXT = 2000
MAX_JSON = 64 << 10
DEADLINE_S = 1200.0
MAX_DEADLINE_S = 7 * 86_400.0
_KNOWN = ("lines", "zones", "classes", "any_class", "annotated", "deadline_s")


@dataclass(frozen=True)
class JobOptions:
    """The objects and regions that a job counts.

    Args:
        lines, zones: as `tallylens count --line` and `--zone` take them, such as `0,0.6,1,0.6`.
        classes: names of the classes to count; None counts all.
        any_class: count every detection as one class, `object`.
        annotated: make the annotated video too.
        deadline_s: seconds after acceptance in which the report is wanted.
    """

    lines: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    any_class: bool = False
    annotated: bool = False
    deadline_s: float = DEADLINE_S

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
        unknown = sorted(set(document) - set(_KNOWN))
        if unknown:
            raise UsageError(
                f"the option {unknown[0][:40]!r} is unknown", f"Use {', '.join(_KNOWN)}"
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
        )
        options.counting()
        return options

    def counting(self) -> CountingOptions:
        """The options for a `CountSession`, those of `tallylens count` with the same arguments.

        Raises:
            UsageError: a line or zone that is not one; options that exclude each other.
        """
        from ...edge_runtime.core import CounterOptions

        regions = [Line.parse(text) for text in self.lines]
        zones = [Zone.parse(text) for text in self.zones]
        return counting_options((*regions, *zones), self.classes, self.any_class, CounterOptions())

    def to_json(self) -> str:
        """The JSON document; the same text for the same options."""
        values = {**vars(self), "lines": list(self.lines), "zones": list(self.zones)}
        values["classes"] = None if self.classes is None else list(self.classes)
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


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"the option {name} is neither true nor false", "Use true or false")
    return value
