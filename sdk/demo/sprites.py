"""Drawings of moving objects from the side: cars, buses, bicycles with riders, people.

Each function draws one object facing right with its foot in the middle of the ground, from random
colors and proportions, and returns the canvases of its phases of movement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .canvas import Canvas, Color, Point

RUBBER: Color = (28, 28, 30)
HUB: Color = (150, 150, 152)
PAINTS: tuple[Color, ...] = (
    (225, 225, 225), (60, 58, 56), (150, 148, 145), (45, 40, 170), (150, 80, 30), (40, 110, 60),
    (60, 160, 215), (35, 60, 110), (190, 160, 70), (70, 40, 90),
)  # fmt: skip
BUS_PAINTS: tuple[Color, ...] = (
    (40, 170, 225), (50, 50, 185), (170, 110, 40), (80, 140, 60), (215, 215, 210),
)  # fmt: skip
CLOTHES: tuple[Color, ...] = (
    (50, 45, 45), (140, 80, 40), (60, 60, 170), (70, 130, 80), (180, 180, 175), (60, 150, 200),
    (120, 60, 120), (90, 100, 130), (160, 130, 50), (40, 70, 60),
)  # fmt: skip
SKINS: tuple[Color, ...] = ((150, 180, 225), (110, 145, 200), (70, 100, 150), (45, 65, 100))
HAIRS: tuple[Color, ...] = ((25, 25, 30), (40, 60, 90), (90, 140, 180), (140, 140, 140))
PHASES = 10


@dataclass(frozen=True)
class Look:
    """One object's appearance: size in meters and the random numbers that its drawing uses."""

    kind: str
    length: float
    height: float
    seed: int


def random_look(kind: str, rng: np.random.Generator) -> Look:
    """Proportions of a new object of class `kind`."""
    low, high, short, tall = {
        "car": (3.7, 4.9, 1.36, 1.6),
        "bus": (7.8, 10.2, 2.7, 2.95),
        "bicycle": (1.7, 1.85, 1.65, 1.85),
        "person": (0.5, 0.6, 1.52, 1.92),
    }[kind]
    seed = int(rng.integers(1 << 31))
    return Look(kind, float(rng.uniform(low, high)), float(rng.uniform(short, tall)), seed)


def draw(look: Look, ppm: float) -> list[Canvas]:
    """The object in each of its phases at `ppm` pixels per meter."""
    if look.kind in ("car", "bus"):
        return [_DRAW[look.kind](look, ppm, 0.0)]
    return [_DRAW[look.kind](look, ppm, 2 * math.pi * i / PHASES) for i in range(PHASES)]


def stride(look: Look) -> float:
    """The distance in meters over which all phases pass once."""
    return 4.2 if look.kind == "bicycle" else 0.86 * look.height


def _pick(rng: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    blue, green, red = np.array(colors[int(rng.integers(len(colors)))]) + rng.normal(0, 10, 3)
    return (_byte(blue), _byte(green), _byte(red))


def _byte(value: float) -> float:
    return float(min(max(value, 8), 245))


def _mixed(color: Color, factor: float) -> Color:
    return (_byte(color[0] * factor), _byte(color[1] * factor), _byte(color[2] * factor))


def _wheel(canvas: Canvas, x: float, radius: float) -> None:
    canvas.circle((x, radius), radius * 1.18, (18, 18, 18))
    canvas.circle((x, radius), radius, RUBBER)
    canvas.circle((x, radius), radius * 0.58, HUB)
    canvas.circle((x, radius), radius * 0.2, (70, 70, 72))


def _body(canvas: Canvas, outline: list[Point], depth: float, roof: Color, side: Color) -> None:
    """The outline, and behind it its far side, seen from above."""
    steps = 12
    for step in range(steps, 0, -1):
        lift = depth * step / steps
        shade = _mixed(roof, 0.92 + 0.12 * step / steps)
        canvas.polygon([(x + 0.12 * lift, y + lift) for x, y in outline], shade)
    canvas.polygon(outline, side)


def _car(look: Look, ppm: float, _phase: float) -> Canvas:
    rng = np.random.default_rng(look.seed)
    paint, half, top = _pick(rng, PAINTS), look.length / 2, look.height
    canvas = Canvas(look.length + 0.7, top + 0.9, ppm)
    belt, back = 0.56 * top, rng.choice([0.98, 0.8, 0.62])
    nose, front = rng.uniform(0.36, 0.52), rng.uniform(0.1, 0.25)
    cabin: list[Point] = [
        (-back * half, belt), (-(back - 0.17) * half, top), (front * half, top),
        ((front + 0.3) * half, belt),
    ]  # fmt: skip
    lower: list[Point] = [
        (-half, 0.28), (-half * 0.985, belt * 0.97), (-back * half, belt),
        ((front + 0.3) * half, belt), (half * 0.9, belt * (1 - 0.4 * nose)),
        (half, belt * 0.62), (half * 0.985, 0.26),
    ]  # fmt: skip
    glass = (70 + rng.uniform(0, 35), 62, 52)
    _body(canvas, lower, 0.5, _mixed(paint, 1.12), paint)
    _body(canvas, cabin, 0.55, _mixed(paint, 1.2), paint)
    inner: list[Point] = [
        (-(back - 0.1) * half, belt + 0.03), (-(back - 0.22) * half, top - 0.09),
        ((front - 0.02) * half, top - 0.09), ((front + 0.2) * half, belt + 0.03),
    ]  # fmt: skip
    canvas.polygon(inner, glass)
    pillar = (front - back) / 2 * half
    canvas.rectangle(pillar - 0.05, belt, pillar + 0.05, top - 0.06, paint)
    canvas.limb([(pillar, belt), (pillar, 0.34)], 0.025, _mixed(paint, 0.7))
    canvas.rectangle(pillar + 0.12, belt - 0.14, pillar + 0.32, belt - 0.1, _mixed(paint, 0.6))
    canvas.rectangle(-half * 0.96, 0.22, half * 0.96, 0.34, _mixed(paint, 0.45))
    canvas.rectangle(half * 0.91, belt * 0.66, half * 0.985, belt * 0.8, (205, 235, 245))
    canvas.rectangle(-half * 0.985, belt * 0.68, -half * 0.92, belt * 0.9, (40, 40, 190))
    for x in (-0.62 * half, 0.64 * half):
        _wheel(canvas, x, 0.31)
    return canvas


def _bus(look: Look, ppm: float, _phase: float) -> Canvas:
    rng = np.random.default_rng(look.seed)
    paint, half, top = _pick(rng, BUS_PAINTS), look.length / 2, look.height
    canvas = Canvas(look.length + 1.0, top + 1.3, ppm)
    outline: list[Point] = [
        (-half, 0.35), (-half, top - 0.12), (-half + 0.15, top), (half - 0.25, top),
        (half - 0.04, top - 0.3), (half, 0.35),
    ]  # fmt: skip
    _body(canvas, outline, 0.95, _mixed(paint, 1.1), paint)
    canvas.rectangle(-half, 0.34, half, 0.62, _mixed(paint, 0.55))
    stripe = _pick(rng, PAINTS)
    canvas.rectangle(-half + 0.02, 0.95, half - 0.02, 1.12, stripe)
    glass = (74 + rng.uniform(0, 30), 64, 54)
    windows = int(look.length / 1.45)
    pitch = (look.length - 0.5) / windows
    for number in range(windows):
        left = -half + 0.25 + number * pitch
        canvas.rectangle(left, 1.4, left + pitch - 0.12, top - 0.42, glass)
        canvas.polygon(
            [
                (left + 0.1, 1.4),
                (left + 0.5, top - 0.42),
                (left + 0.7, top - 0.42),
                (left + 0.3, 1.4),
            ],
            _mixed(glass, 1.25),
        )
    for door in (half - 1.45, -0.12 * half):
        canvas.rectangle(door, 0.42, door + 1.05, top - 0.42, _mixed(glass, 0.85))
        canvas.limb([(door + 0.52, 0.42), (door + 0.52, top - 0.42)], 0.05, _mixed(paint, 0.8))
    canvas.rectangle(half - 1.7, top - 0.34, half - 0.4, top - 0.1, (20, 22, 24))
    canvas.rectangle(half - 1.6, top - 0.28, half - 0.7, top - 0.17, (40, 170, 240))
    canvas.rectangle(half - 0.12, 0.66, half, 0.86, (210, 238, 248))
    canvas.rectangle(-half, 0.7, -half + 0.1, 1.0, (40, 40, 190))
    for x in (-0.58 * half, 0.6 * half):
        _wheel(canvas, x, 0.47)
    return canvas


def _joint(start: Point, end: Point, length: float, side: float) -> Point:
    """The knee or elbow between two ends, each limb `length` long."""
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    dx, dy = end[0] - start[0], end[1] - start[1]
    span = math.hypot(dx, dy)
    out = math.sqrt(max(length * length - span * span / 4, 0.0))
    return (
        middle[0] - side * dy / max(span, 1e-6) * out,
        middle[1] + side * dx / max(span, 1e-6) * out,
    )


def _head(canvas: Canvas, center: Point, radius: float, rng: np.random.Generator) -> Color:
    """A head with hair or a hat; returns the skin's color."""
    skin, hair = _pick(rng, SKINS), _pick(rng, HAIRS)
    x, y = center
    canvas.limb([(x - 0.02, y - radius * 1.5), (x, y)], radius * 0.9, skin)
    canvas.circle(center, radius, skin)
    canvas.ellipse((x - 0.3 * radius, y + 0.35 * radius), (radius * 0.85, radius * 0.75), hair)
    if rng.random() < 0.25:
        canvas.ellipse((x, y + 0.55 * radius), (radius * 1.15, radius * 0.6), _pick(rng, CLOTHES))
    return skin


def _person(look: Look, ppm: float, phase: float) -> Canvas:
    rng = np.random.default_rng(look.seed)
    tall = look.height
    shirt, trousers, shoes = _pick(rng, CLOTHES), _pick(rng, CLOTHES), _pick(rng, CLOTHES[:2])
    canvas = Canvas(1.15 * tall * 0.8, tall + 0.1, ppm)
    hip, shoulder = 0.51 * tall, 0.81 * tall
    broad = rng.uniform(0.16, 0.23) * tall / 1.7
    swing, bounce = 0.21 * tall, 0.012 * tall * math.cos(2 * phase)
    head: Point = (0.03, 0.925 * tall + bounce)

    def leg(turn: float, color: Color) -> None:
        foot = (swing * math.sin(turn), 0.03 + 0.05 * tall * max(0.0, math.cos(turn)))
        knee = _joint((0, hip + bounce), (foot[0], foot[1] + 0.05), 0.253 * tall, 1)
        canvas.limb([(0, hip + bounce), knee, foot], 0.082 * tall, color)
        canvas.limb([(foot[0] - 0.02, foot[1]), (foot[0] + 0.11, foot[1])], 0.05 * tall, shoes)

    def arm(turn: float, color: Color, skin: Color) -> None:
        hand = (0.15 * tall * math.sin(turn) + 0.04, 0.5 * tall + bounce)
        elbow = _joint((0, shoulder + bounce), hand, 0.168 * tall, -1)
        canvas.limb([(0, shoulder - 0.02 + bounce), elbow, hand], 0.058 * tall, color)
        canvas.circle(hand, 0.028 * tall, skin)

    leg(phase + math.pi, _mixed(trousers, 0.75))
    arm(phase, _mixed(shirt, 0.75), (70, 90, 130))
    if rng.random() < 0.3:
        canvas.ellipse((-broad, 0.68 * tall + bounce), (0.12, 0.14 * tall), _pick(rng, CLOTHES))
    leg(phase, trousers)
    if rng.random() < 0.3:
        flare = 0.16 + 0.04 * math.sin(2 * phase)
        edge = 0.33 * tall
        canvas.polygon(
            [(-broad / 2, hip + 0.1), (broad / 2, hip + 0.1), (flare, edge), (-flare, edge)], shirt
        )
    torso: list[Point] = [
        (-broad * 0.75, hip - 0.04 + bounce), (-broad * 0.9, shoulder - 0.05 + bounce),
        (-broad * 0.4, shoulder + 0.03 + bounce), (broad * 0.5, shoulder + 0.03 + bounce),
        (broad * 0.85, shoulder - 0.08 + bounce), (broad * 0.7, hip - 0.04 + bounce),
    ]  # fmt: skip
    canvas.polygon(torso, shirt)
    skin = _head(canvas, head, 0.068 * tall, rng)
    arm(phase + math.pi, _mixed(shirt, 0.9), skin)
    return canvas


def _bicycle(look: Look, ppm: float, phase: float) -> Canvas:
    rng = np.random.default_rng(look.seed)
    tall, half, radius = look.height, look.length / 2, 0.34
    frame, shirt, trousers = _pick(rng, PAINTS), _pick(rng, CLOTHES), _pick(rng, CLOTHES)
    canvas = Canvas(look.length + 0.5, tall + 0.1, ppm)
    back, front = (-half + radius, radius), (half - radius, radius)
    crank, saddle, bars = (-0.06, 0.3), (-0.24, 0.92), (0.36, 1.02)
    hip, shoulder = (-0.22, 0.98), (0.06, tall - 0.36)

    def leg(turn: float, color: Color) -> None:
        foot = (crank[0] + 0.17 * math.sin(turn), crank[1] + 0.17 * math.cos(turn))
        canvas.limb([hip, _joint(hip, foot, 0.44, 1), foot], 0.12, color)
        canvas.limb([foot, (foot[0] + 0.12, foot[1])], 0.07, RUBBER)

    leg(phase + math.pi, _mixed(trousers, 0.7))
    for hub in (back, front):
        canvas.circle(hub, radius, RUBBER, 0.055)
        for spoke in range(3):
            angle = phase * 2 + spoke * math.pi / 3
            reach = (math.cos(angle) * radius, math.sin(angle) * radius)
            ends = [(hub[0] - reach[0], hub[1] - reach[1]), (hub[0] + reach[0], hub[1] + reach[1])]
            canvas.limb(ends, 0.012, HUB)
    canvas.limb([back, crank, saddle, back], 0.045, frame)
    canvas.limb([crank, (0.3, 0.84), saddle], 0.045, frame)
    canvas.limb([front, (0.3, 0.84), bars], 0.045, frame)
    canvas.limb([(-0.36, 0.94), (-0.12, 0.94)], 0.06, RUBBER)
    leg(phase, trousers)
    canvas.limb([hip, shoulder], 0.25, shirt)
    skin = _head(canvas, (0.16, tall - 0.13), 0.115, rng)
    if rng.random() < 0.5:
        canvas.ellipse((0.15, tall - 0.06), (0.15, 0.09), _pick(rng, BUS_PAINTS))
    canvas.limb([shoulder, _joint(shoulder, bars, 0.33, -1), bars], 0.085, _mixed(shirt, 0.88))
    canvas.circle(bars, 0.05, skin)
    return canvas


_DRAW = {"car": _car, "bus": _bus, "bicycle": _bicycle, "person": _person}
