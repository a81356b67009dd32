"""Standing parts of the street: sky, houses, pavements and road, and occluders such as trees."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tallylens.edge_runtime.types import Image

from .camera import Camera
from .canvas import Canvas, Color, blend, paste
from .weather import Weather, light

# Depths in meters where things begin: near pavement, cycle lane, near lane, green, far lane, far
# pavement, house fronts.
NEAR_EDGE, KERB, CYCLE_EDGE = 8.4, 11.4, 12.9
GREEN, FAR_LANE, FAR_KERB, FRONTS = 16.9, 18.3, 21.2, 25.4
PIXELS_A_METRE = 28
Canvas3 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Occluder:
    """A standing object at depth `z`: `pixels` (h, w, 4) as in a sprite, and its corner."""

    z: float
    left: int
    top: int
    pixels: Image

    def cover(self, image: Image, labels: Image | None, label: int) -> None:
        """Draw it over everything that is farther away."""
        height, width = self.pixels.shape[:2]
        region = (slice(self.top, self.top + height), slice(self.left, self.left + width))
        blend(image[region], self.pixels)
        if labels is not None:
            labels[region][self.pixels[..., 3] > 128] = label


def paint_backdrop(camera: Camera, weather: Weather, rng: np.random.Generator) -> Image:
    """The empty street, (height, width, 3) uint8 BGR."""
    width, height = camera.size
    image = np.empty((height, width, 3), np.float32)
    fade = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** 0.5
    high, low = (np.array(color, np.float32) for color in weather.sky)
    image[:] = high * (1 - fade) + low * fade
    _houses(image, camera, weather, rng)
    stone = rng.uniform(138, 172)
    asphalt = rng.uniform(82, 108)
    cycle: Color = (88, 92, 150) if rng.random() < 0.5 else (asphalt * 0.95,) * 3
    _strip(image, camera, weather, (FAR_KERB, FRONTS), (stone, stone * 1.02, stone * 1.05))
    _strip(image, camera, weather, (CYCLE_EDGE, FAR_KERB), (asphalt, asphalt, asphalt * 1.01))
    _strip(image, camera, weather, (KERB, CYCLE_EDGE), cycle)
    _strip(image, camera, weather, (5.0, KERB), (stone, stone * 1.02, stone * 1.05))
    _slabs(image, camera, weather, stone)
    _strip(image, camera, weather, (GREEN, FAR_LANE), (66, 112, 88))
    for z in (FAR_KERB, FAR_LANE, GREEN, KERB):
        _strip(image, camera, weather, (z - 0.12, z + 0.1), (190, 192, 194))
    _markings(image, camera, weather)
    image *= _mottle(rng, (height, width))
    return np.asarray(image.round().clip(0, 255), np.uint8)


def plant(
    camera: Camera, weather: Weather, rng: np.random.Generator, keep_free: float
) -> list[Occluder]:
    """Lamps and bins at the near kerb, also trees at the far one; none within 1.6 m of `keep_free`.

    Crowns are above heads: only trunks and posts occlude passing objects, in part and briefly.
    """
    found = []
    for z, spacing, share in ((KERB - 0.35, 6.5, 0.0), (FAR_KERB + 0.5, 6.5, 0.75)):
        low, high = camera.visible_x(z)
        x = low - 2 + rng.uniform(0, spacing)
        while x < high + 2:
            if abs(x - keep_free) > 1.6:
                canvas = _tree(camera.scale(x, z), rng) if rng.random() < share else None
                found.append(
                    _stand(canvas or _post(camera.scale(x, z), rng), x, z, camera, weather)
                )
            x += spacing * rng.uniform(0.75, 1.4)
    return sorted((one for one in found if one is not None), key=lambda one: -one.z)


def _stand(canvas: Canvas, x: float, z: float, camera: Camera, weather: Weather) -> Occluder | None:
    """The drawing at its position, clipped to the frame."""
    sprite = canvas.sprite(
        flip=False, tint=weather.tint, fog=weather.fog(z), shade=weather.shade / 2
    )
    width, height = camera.size
    foot = camera.project([(x, 0, z)])[0]
    # Painted once on gray and once on black: where both differ, it is transparent.
    dark, gray = np.zeros((height, width, 3), np.uint8), np.full((height, width, 3), 255, np.uint8)
    for ground in (dark, gray):
        paste(ground, None, sprite, (foot[0], foot[1]), camera.scale(x, z), 0.0, 0)
    alpha = 255 - (gray[..., 1].astype(np.int16) - dark[..., 1]).clip(0, 255).astype(np.uint8)
    left, top, columns, rows = cv2.boundingRect((alpha > 2).astype(np.uint8))
    if not columns:
        return None
    region = (slice(top, top + rows), slice(left, left + columns))
    return Occluder(z, left, top, np.dstack([dark, alpha])[region])


def _tree(ppm: float, rng: np.random.Generator) -> Canvas:
    tall, trunk = rng.uniform(5.2, 7.0), rng.uniform(0.11, 0.17)
    canvas = Canvas(5.2, tall + 0.8, ppm, below=0.35)
    bark: Color = (48, 62, 78)
    canvas.polygon(
        [(-trunk * 1.25, 0), (trunk * 1.25, 0), (trunk * 0.7, 3.8), (-trunk * 0.7, 3.8)], bark
    )
    canvas.rectangle(trunk * 0.2, 0, trunk * 1.0, 3.6, (62, 78, 96))
    for x in (-0.9, 0.8):
        canvas.limb([(0, 2.9), (x, 4.2)], 0.12, bark)
    green = np.array([rng.uniform(38, 60), rng.uniform(95, 130), rng.uniform(55, 95)])
    for number in range(90):
        share = number / 90
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * 1.55
        x, y = reach * np.cos(angle), (tall + 3.3) / 2 + 0.62 * reach * np.sin(angle)
        shade = 0.62 + 0.55 * share * (0.7 + 0.3 * np.sin(angle)) + rng.normal(0, 0.05)
        color = (green * shade).clip(0, 255)
        canvas.circle(
            (float(x), float(y)),
            float(rng.uniform(0.24, 0.52) * (1.1 - 0.45 * share)),
            (float(color[0]), float(color[1]), float(color[2])),
        )
    return canvas


def _post(ppm: float, rng: np.random.Generator) -> Canvas:
    """A lamp or a bin."""
    if rng.random() < 0.35:
        canvas = Canvas(0.9, 1.1, ppm)
        canvas.rectangle(-0.27, 0, 0.27, 0.85, (58, 84, 60))
        canvas.rectangle(-0.3, 0.8, 0.3, 0.92, (44, 62, 46))
        return canvas
    canvas = Canvas(3.4, 7.0, ppm)
    iron: Color = (74, 70, 66)
    canvas.rectangle(-0.12, 0, 0.12, 0.7, iron)
    canvas.limb([(0, 0), (0, 6.1), (0.2, 6.5), (1.3, 6.7)], 0.11, iron)
    canvas.rectangle(0.9, 6.6, 1.6, 6.74, (190, 215, 225))
    return canvas


def _houses(image: Canvas3, camera: Camera, weather: Weather, rng: np.random.Generator) -> None:
    low, high = camera.visible_x(FRONTS)
    x = low - rng.uniform(1, 6)
    while x < high + 1:
        wide, floors = rng.uniform(6.5, 12), int(rng.integers(3, 6))
        tall = 0.6 + 3.2 * floors
        front = _front(wide, tall, floors, rng, lamps=weather.name in ("dusk", "rain"))
        corners = [
            (x, tall, FRONTS),
            (x + wide, tall, FRONTS),
            (x + wide, 0, FRONTS),
            (x, 0, FRONTS),
        ]
        rows, columns = front.shape[:2]
        source = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
        matrix = cv2.getPerspectiveTransform(source, camera.project(corners).astype(np.float32))
        size = camera.size
        mask = cv2.warpPerspective(np.ones((rows, columns), np.float32), matrix, size)[..., None]
        drawn = np.asarray(cv2.warpPerspective(front, matrix, size), np.float32)
        share, mist = weather.fog(FRONTS + 4)
        lit = light(drawn, weather.tint) * (1 - share) + np.array(mist, np.float32) * share * mask
        image[:] = image * (1 - mask) + lit
        x += wide


def _front(
    wide: float, tall: float, floors: int, rng: np.random.Generator, *, lamps: bool
) -> Canvas3:
    """A house front: wall, windows in rows, a shop below."""
    ppm = PIXELS_A_METRE
    rows, columns = int(tall * ppm), int(wide * ppm)
    wall = np.array([rng.uniform(105, 185), rng.uniform(125, 195), rng.uniform(150, 212)])
    front = np.full((rows, columns, 3), wall, np.float32)
    front += rng.normal(0, 4, (rows, columns, 1)).astype(np.float32)

    def block(x1: float, y1: float, x2: float, y2: float, color: npt.ArrayLike) -> None:
        """Draw in meters, y up."""
        front[int((tall - y2) * ppm) : int((tall - y1) * ppm), int(x1 * ppm) : int(x2 * ppm)] = (
            color
        )

    count = int(wide / 2.1)
    pitch = wide / count
    for floor in range(1, floors):
        sill = 0.7 + 3.2 * floor
        block(0, sill - 0.55, wide, sill - 0.45, wall * 0.86)
        for number in range(count):
            left = (number + 0.5) * pitch - 0.55
            glow = lamps and rng.random() < 0.4
            glass = (110, 205, 250) if glow else rng.uniform(48, 95) * np.array([1.2, 1.05, 0.95])
            block(left - 0.1, sill - 0.12, left + 1.2, sill + 1.62, wall * 1.12)
            block(left, sill, left + 1.1, sill + 1.5, glass)
            block(left + 0.52, sill, left + 0.58, sill + 1.5, wall * 1.08)
    awning = np.array(rng.uniform(50, 190, 3))
    block(0.3, 0.0, wide - 0.3, 2.5, (70, 66, 62))
    block(0.6, 0.5, wide - 1.9, 2.3, np.array([130, 120, 108]) * (1.5 if lamps else 1.0))
    block(wide - 1.6, 0.0, wide - 0.7, 2.2, (52, 58, 70))
    for stripe in range(int((wide - 0.4) / 0.5)):
        shade = awning if stripe % 2 else np.array([205, 208, 210])
        block(0.2 + stripe * 0.5, 2.45, 0.7 + stripe * 0.5, 2.95, shade)
    block(0, tall - 0.35, wide, tall, wall * 0.72)
    return front.clip(0, 255)


def _strip(
    image: Canvas3, camera: Camera, weather: Weather, depths: tuple[float, float], color: Color
) -> None:
    """The ground between two depths, over the whole width of the frame."""
    edges = []
    for z in np.linspace(*depths, 5):
        low, high = camera.visible_x(float(z))
        edges.append(((low - 3, 0.0, float(z)), (high + 3, 0.0, float(z))))
    outline = [left for left, _ in edges] + [right for _, right in reversed(edges)]
    _fill(image, camera, weather, outline, color)


def _fill(
    image: Canvas3,
    camera: Camera,
    weather: Weather,
    outline: list[tuple[float, float, float]],
    color: Color,
) -> None:
    distance = float(np.mean([z for _, _, z in outline]))
    share, mist = weather.fog(distance)
    lit = light(np.array(color, np.float32), weather.tint) * (1 - share)
    lit += np.array(mist, np.float32) * share
    corners = (camera.project(outline) * 16).round().clip(-1e6, 1e6).astype(np.int32)
    cv2.fillPoly(image, [corners], tuple(map(float, lit)), cv2.LINE_8, 4)


def _slabs(image: Canvas3, camera: Camera, weather: Weather, stone: float) -> None:
    """Joints between the slabs of the pavements."""
    joint = (stone * 0.87,) * 3
    for near, far in ((NEAR_EDGE - 2, KERB - 0.15), (FAR_KERB + 0.15, FRONTS)):
        low, high = camera.visible_x(far)
        for x in np.arange(int(low) - 2, high + 2, 1.5):
            outline = [(x, 0.0, near), (x + 0.05, 0.0, near), (x + 0.05, 0.0, far), (x, 0.0, far)]
            _fill(image, camera, weather, outline, joint)
        for z in np.arange(near, far, 1.5):
            _strip(image, camera, weather, (z, z + 0.05), joint)


def _markings(image: Canvas3, camera: Camera, weather: Weather) -> None:
    paint: Color = (205, 208, 210)
    _strip(image, camera, weather, (CYCLE_EDGE - 0.06, CYCLE_EDGE + 0.06), paint)
    for edge in (GREEN - 0.3, FAR_KERB - 0.3):
        low, high = camera.visible_x(edge)
        for x in np.arange(int(low) - 4, high + 4, 4.0):
            near, far = edge - 0.05, edge + 0.05
            outline = [(x, 0.0, near), (x + 2, 0.0, near), (x + 2, 0.0, far), (x, 0.0, far)]
            _fill(image, camera, weather, outline, paint)


def _mottle(rng: np.random.Generator, shape: tuple[int, int]) -> Canvas3:
    """Stains and wear: factors around one, coarse and fine."""
    height, width = shape
    total = np.ones(shape, np.float32)
    for cells, strength in ((12, 0.05), (60, 0.035), (0, 0.02)):
        rows, columns = (height, width) if not cells else (cells * height // width + 2, cells)
        spots = rng.normal(0, strength, (rows, columns)).astype(np.float32)
        total += cv2.resize(spots, (width, height), interpolation=cv2.INTER_CUBIC)
    return total[..., None]
