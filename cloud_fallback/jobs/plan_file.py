"""The file of plans: TOML, read at start; see `plans.toml` for the one that is shipped."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from ...edge_runtime.errors import InputError
from .plans import Plan, Plans, VideoLimits

SHIPPED = Path(__file__).parent / "plans.toml"
MAX_BYTES = 1 << 20
MAX_VALUE = 10**12


@cache
def shipped_plans() -> Plans:
    """The plans without a file of the operator."""
    return read_plans(SHIPPED)


def read_plans(path: Path) -> Plans:
    """The plans of a file.

    Raises:
        InputError: it cannot be read, or something in it is not a plan.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            path, error.strerror or "cannot be read", "Check the path and its permissions"
        ) from error
    return parse_plans(path, text)


def parse_plans(path: Path, text: bytes) -> Plans:
    """The plans of the content of a file; raises InputError, which names `path`."""
    reader = _Reader(path)
    if len(text) > MAX_BYTES:
        reader.fail("too large")
    try:
        document = tomllib.loads(text.decode())
    except (ValueError, RecursionError):
        reader.fail("not TOML")
    unknown = sorted(set(document) - {"default", "plans"})
    if unknown:
        reader.fail(f"{unknown[0][:40]!r} is unknown")
    plans = {
        name: reader.plan(name, table)
        for name, table in reader.table("plans", document.get("plans")).items()
    }
    default = document.get("default")
    if not isinstance(default, str) or default not in plans:
        reader.fail("default is not the name of one of its plans")
    return Plans(plans, default)


class _Reader:
    """Reads values of a file, and says which one is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fail(self, problem: str) -> NoReturn:
        raise InputError(self._path, problem, "See docs/guides/accounts.md")

    def table(self, name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(f"{name} is not a table")
        return value

    def plan(self, name: str, value: Any) -> Plan:
        where = f"plans.{name[:40]}"
        values = dict(self.table(where, value))
        limits = self.table(f"{where}.video", values.pop("video", {}))
        video = VideoLimits(**self._numbers(f"{where}.video", limits, VideoLimits()))
        known = Plan(videos=1, period_days=1.0, days=1.0)
        return Plan(name, video=video, **self._numbers(where, values, known))

    def _numbers(
        self, where: str, values: Mapping[str, Any], known: Plan | VideoLimits
    ) -> dict[str, Any]:
        """The values, each of the type that the field of `known` has."""
        found: dict[str, Any] = {}
        types = {one.name: type(getattr(known, one.name)) for one in fields(known)}
        for name, value in values.items():
            kind = types.get(name)
            if kind not in (int, float):
                self.fail(f"{where}.{name[:40]} is unknown")
            right = isinstance(value, int if kind is int else int | float)
            if not right or isinstance(value, bool) or not self._within(name, value):
                self.fail(f"{where}.{name} is not a {'whole ' * (kind is int)}number above 0")
            found[name] = kind(value)
        return found

    def _within(self, name: str, value: float) -> bool:
        # No videos at all is a plan too: for those who must pay first.
        least = 0 if name == "videos" else math.ulp(0.0)
        return least <= value <= MAX_VALUE
