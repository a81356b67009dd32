"""offload.json: where a frame goes, as `oracles/offload.py` decides it."""

from __future__ import annotations

import base64
import math
import random
from typing import Any

from oracles import offload, view

from .lines import lines

GOOD = {
    "connected": 1, "allowed": 1, "smallest": 0, "measuring": 0, "static_reason": "none",
    "credits_left": 4, "reward": 0.9, "link_debt_s": 0.0, "silent_s": 0.0,
    "silence_limit_s": math.inf, "expected_s": 0.1, "deadline_s": 0.5, "local_s": 0.01,
    "waiting_s": math.inf,
}  # fmt: skip


def any_facts(rng: random.Random) -> dict[str, Any]:
    """Facts of all kinds, each problem rare enough that the others are reached."""
    rare = lambda: int(rng.random() < 0.1)  # noqa: E731
    return {
        **GOOD,
        "connected": 1 - rare(),
        "allowed": 1 - rare(),
        "smallest": rng.randrange(2),
        "measuring": rare(),
        "static_reason": rng.choice(["none"] * 6 + ["too_big", "file_sooner"]),
        "credits_left": 0 if rare() else rng.randrange(1, 8),
        "reward": round(rng.random(), 4),
        "link_debt_s": rng.random() if rare() else 0.0,
        "silent_s": rng.random() if rare() else 0.0,
        "silence_limit_s": rng.choice([math.inf, 0.3]),
        "expected_s": rng.random() * 0.6,
        "waiting_s": rng.random() if rare() else math.inf,
    }


def decide_cases() -> list[dict[str, Any]]:
    """Frames one after the other through one policy."""
    cases = []
    for number, (mode, share) in enumerate(
        [("auto", 0.8), ("auto", 0.3), ("always", 0.8), ("never", 0.8)]
    ):
        rng, policy = random.Random(number), offload.Policy(mode, share)
        steps = []
        for _ in range(150):
            facts = any_facts(rng)
            steps.append({"facts": facts, "decision": policy.decide(facts)})
        cases.append({"mode": mode, "share": share, "steps": steps})
    return cases


def reward_cases() -> list[dict[str, Any]]:
    """Scores of detections."""
    rng = random.Random(7)
    lists = [
        [],
        [0.9] * 5,
        [0.3] * 5,
        *([round(rng.random(), 3) for _ in range(n)] for n in range(1, 30, 4)),
    ]
    return [
        {"scores": scores, "features": offload.features(scores), "reward": offload.reward(scores)}
        for scores in lists
    ]


def static_cases() -> list[dict[str, Any]]:
    """Facts that do not change from frame to frame."""
    facts = [
        {"live": live, "model_bytes": 100, "memory_bytes": memory, "local_s": 1.0, "cloud_s": cloud}
        for live in (0, 1)
        for memory in (-1, 299, 300)
        for cloud in (0.0, 0.5, 0.83, 0.84, 9.0)
    ]
    return [{"facts": one, "reason": offload.static_reason(one)} for one in facts]


def link_cases() -> list[list[list[Any]]]:
    """Simulated links: [call, arguments, the state then, the time expected for 50,000 bytes]."""
    cases = []
    for seed in range(6):
        rng, link = random.Random(seed), offload.Link()
        rate, rtt_s, server_s = rng.uniform(2e4, 2e6), rng.uniform(0, 0.2), rng.uniform(0, 0.1)
        steps: list[list[Any]] = []

        def call(
            name: str, *arguments: float, now: float, to: Any = link, out: Any = steps
        ) -> None:
            getattr(to, name)(*arguments)
            out.append([name, arguments, now, to.state(now), to.expected_s(50_000, now)])

        call("welcomed", rtt_s, now=0.0)
        now, free, answers = 0.5, 0.0, []
        for sequence in range(1, 40):
            now += rng.uniform(0, 0.3)
            while answers and answers[0][1] <= now:
                number, at = answers.pop(0)
                call("answered", number, server_s, at, now=at)
            size = rng.randrange(1000, 90_000)
            call("sent", sequence, size, now, now=now)
            free = max(free, now + rtt_s / 2) + size / rate
            answers.append((sequence, free + server_s + rtt_s / 2))
            if sequence == 25:
                call("lost", now=now)
                answers = []
        call("answered", 1000, 0.1, now, now=now)
        cases.append(steps)
    return cases


def waiting_cases() -> list[dict[str, Any]]:
    """Files: [call, arguments, seconds left then]."""
    cases = []
    for seed in range(4):
        rng = random.Random(seed)
        engines = 1 + seed % 3
        account, now, steps = offload.Waiting(engines), 100.0, []
        calls: list[tuple[str, tuple[float, ...]]] = [("start", (now,))]
        for _ in range(20):
            for name, change in (("compute", 1), ("wait", 1), ("compute", -1), ("wait", -1)):
                now += rng.uniform(0, 0.2)
                calls.append((name, (now, change)))
            calls.append(("saved", (rng.uniform(0, 0.1),)))
        for name, arguments in calls:
            getattr(account, name)(*arguments)
            at = arguments[0] if name != "saved" else now
            steps.append([name, arguments, at, account.left(at)])
        cases.append({"engines": engines, "steps": steps})
    return cases


def view_cases() -> list[dict[str, Any]]:
    """Frames of noise and of few levels, turned or not, as (format, size, turn)."""
    cases = []
    for number, (form, width, height, rotation) in enumerate(
        [("BGR", 64, 36, 0), ("RGB", 45, 31, 0), ("BGRA", 30, 40, 90), ("RGBA", 33, 19, 270),
         ("BGR", 5, 3, 0), ("RGB", 32, 18, 180)]
    ):  # fmt: skip
        rng = random.Random(number)
        # With two levels, means lie half-way between whole numbers.
        levels = (0, 1) if number == 0 else range(256)
        data = bytes(rng.choice(levels) for _ in range(len(form) * width * height))
        order = [form.index(channel) for channel in "RGB"]
        rows = [
            [
                (data[at + order[0]], data[at + order[1]], data[at + order[2]])
                for at in range(len(form) * width * y, len(form) * width * (y + 1), len(form))
            ]
            for y in range(height)
        ]
        for _ in range(rotation // 90):
            rows = [list(column) for column in zip(*rows[::-1], strict=True)]
        image = {"format": form, "width": width, "height": height, "rotation": rotation}
        pixels = base64.b64encode(data).decode()
        cases.append({"image": image, "pixels": pixels, "cells": view.view(rows)})
    return cases


def skip_cases() -> list[dict[str, Any]]:
    """Differences of a view, and whether no model has to see it."""
    return [
        {"mode": mode, "difference": float(gray), "skip": mode == "auto" and gray <= 2}
        for mode in ("never", "auto", "always")
        for gray in (0, 1, 2, 3, 255)
    ]


def late_cases() -> list[list[list[Any]]]:
    """Answers and detections: ["note", rows, now], or ["apply", rows, now, classes]."""
    rng = random.Random(3)
    late, now, steps = offload.Late(), 0.0, []

    def rows(count: int) -> list[list[float]]:
        found = []
        for _ in range(count):
            x, y = rng.randrange(4) * 60, rng.randrange(3) * 60
            shift = rng.randrange(-12, 13)
            found.append(
                [x + shift, y, x + shift + 50, y + 50, rng.choice([0.25, 0.75]), rng.randrange(4)]
            )
        return found

    for _ in range(60):
        now = round(now + rng.uniform(0.05, 0.9), 3)
        given = rows(rng.randrange(5))
        if rng.random() < 0.5:
            late.note(given, now)
            steps.append(["note", given, now])
        else:
            steps.append(["apply", given, now, late.apply(given, now)])
    return [steps]


def text() -> str:
    """The file."""
    parts = {
        "reward": reward_cases(), "static_reason": static_cases(), "decide": decide_cases(),
        "link": link_cases(), "waiting": waiting_cases(), "late": late_cases(),
        "view": view_cases(), "skip": skip_cases(),
    }  # fmt: skip
    body = ",\n".join(f'"{name}": {lines(cases)}' for name, cases in parts.items())
    return f'{{"version": 1,\n{body}}}\n'
