"""governor.json: levels and rates by latency and heat, as `oracles/governor.py` chooses them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from oracles.governor import Governor

from .lines import lines

FPS = 10
Latency = Callable[[tuple[int, int], float], float]


def governed(
    name: str,
    seconds: float,
    latency: Latency,
    heat: dict[float, dict[str, float]] | None = None,
    **options: float,
) -> dict[str, Any]:
    """A case: frames as [timestamp_ns, latency_ms of those wanted, else why not]."""
    values = {"num_sizes": 1, "budget_ms": 0.0, "max_fps": 0.0, **options}
    governor = Governor(int(values["num_sizes"]), values["budget_ms"], values["max_fps"])
    frames, inputs = [], []
    for index in range(round(seconds * FPS)):
        now_s = index / FPS
        if heat and now_s in heat:
            governor.set_heat(**heat[now_s])  # type: ignore[arg-type]
            inputs.append([index, heat[now_s]])
        timestamp_ns = round(now_s * 1e9)
        reason = governor.wants(timestamp_ns)
        spent: float | str = reason
        if reason == "none":
            spent = round(latency(governor.level, now_s), 3)
            governor.learn(timestamp_ns, spent)
        frames.append([timestamp_ns, spent])
    state = {"level": governor.level, "lowest": governor.lowest, "paused": int(governor.paused)}
    return {
        "name": name,
        "options": values,
        "ladder": governor.levels,
        "inputs": inputs,
        "expected": {**state, "changes": governor.changes},
        "frames": frames,
    }


def governor_cases() -> list[dict[str, Any]]:
    """Latency, rates and heat."""
    noise = random.Random(15)
    script = {10.0: "light", 20.0: "moderate", 40.0: "severe", 60.0: "light", 90.0: "none"}
    names = ("none", "light", "moderate", "severe", "critical")
    heat = {at: {"thermal": names.index(state)} for at, state in script.items()}
    critical = {5.0: {"thermal": 4}, 15.0: {"thermal": 3}, 20.0: {"thermal": 0}}
    headroom = {3.0: {"headroom": 0.94}, 6.0: {"headroom": 0.95}, 12.0: {"headroom": 0.5}}
    return [
        governed("within its budget", 20, lambda *_: 45.0, budget_ms=50.0),
        governed(
            "down until the budget is kept",
            30,
            lambda level, _: 48.0 if level[1] else 70.0,
            budget_ms=50.0,
            num_sizes=2,
        ),
        governed(
            "back when the machine is back",
            60,
            lambda _, now: 90.0 if now < 15 else 20.0,
            budget_ms=50.0,
        ),
        governed(
            "near its limit each try waits longer",
            90,
            lambda level, _: 60.0 if level[0] == 1 else 20.0,
            budget_ms=50.0,
        ),
        governed(
            "noise", 60, lambda *_: noise.uniform(20, 90), budget_ms=50.0, num_sizes=3, max_fps=7.0
        ),
        governed("a maximum rate", 20, lambda *_: 1.0, max_fps=3.0),
        governed("none, severe, none", 120, lambda *_: 1.0, heat),
        governed("too hot", 45, lambda *_: 1.0, critical),
        governed("little headroom", 40, lambda *_: 1.0, headroom),
        governed(
            "heat on top of the budget",
            60,
            lambda level, _: 70.0 if level[0] == 1 else 20.0,
            {20.0: {"thermal": 3}, 30.0: {"thermal": 0}},
            budget_ms=50.0,
            num_sizes=2,
        ),
    ]


def text() -> str:
    """The file."""
    return f'{{"version": 1, "cases": {lines(governor_cases())}}}\n'
