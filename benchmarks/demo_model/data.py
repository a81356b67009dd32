"""Rendered frames to train on: a pool on disk, and augmented batches from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tallylens.demo.actors import spans
from tallylens.demo.scene import Scene
from tallylens.demo.stills import Stills

# (height, width) of the network's input while training: 16:9 as the letterbox leaves it.
INPUT = (192, 320)
GRAY = 114
SIZES = ((640, 360), (640, 360), (640, 360), (854, 480), (512, 288))
SHOTS = 12
FIRST_SEED = 100_000
MAX_OBJECTS = 40
NEAR = 0.01

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pool:
    """`images` (n, 192, 320, 3) uint8 RGB, `labels` (n, 40, 5) class and xyxy, else -1."""

    images: Images
    labels: Labels

    def of(self, index: int) -> tuple[Images, Labels]:
        """One image and its objects (m, 5)."""
        labels = self.labels[index]
        return self.images[index], labels[labels[:, 0] >= 0]


def render_pool(folder: Path, count: int, first_seed: int = FIRST_SEED) -> Pool:
    """The first `count` training frames, rendered where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    images_path, labels_path = folder / f"images-{count}.npy", folder / f"labels-{count}.npy"
    if not labels_path.is_file():
        images = np.lib.format.open_memmap(images_path, "w+", np.uint8, shape=(count, *INPUT, 3))
        labels = np.full((count, MAX_OBJECTS, 5), -1, np.float32)
        for start in range(0, count, SHOTS):
            _render_scene(first_seed + start // SHOTS, images[start:], labels[start:])
        images.flush()
        np.save(labels_path, labels)
    return Pool(np.load(images_path, mmap_mode="r"), np.load(labels_path))


def _render_scene(seed: int, images: Images, labels: Labels) -> None:
    """Fill the next few slots with frames of one scene: half of them where objects meet."""
    rng = np.random.default_rng((seed, 9))
    scene = Scene(seed, SIZES[int(rng.integers(len(SIZES)))], fps=30)
    meetings = _meetings(scene)
    for place in range(min(SHOTS, len(images))):
        index = int(rng.integers(scene.frames))
        if len(meetings) and place % 2:
            index = int(rng.choice(meetings))
        shot = scene.frame(index)
        images[place], boxes = fit(shot.image, shot.xyxy)
        found = np.column_stack([shot.class_id, boxes]).astype(np.float32)[:MAX_OBJECTS]
        labels[place, : len(found)] = found


def _meetings(scene: Scene) -> npt.NDArray[np.int64]:
    """The frames in which two objects touch or nearly do; they are few, and the hardest."""
    times = np.arange(scene.frames) / scene.fps
    boxes = [spans(actor, scene.camera, times) for actor in scene.actors]
    meet = np.zeros(scene.frames, bool)
    for number, first in enumerate(boxes):
        for second in boxes[:number]:
            least = np.maximum(first[:, :2], second[:, :2])
            most = np.minimum(first[:, 2:], second[:, 2:])
            middle = (least[:, 0] + most[:, 0]) / 2
            near = (most - least > -NEAR * scene.size[0]).all(axis=1)
            meet |= near & (middle > 0) & (middle < scene.size[0])
    return np.flatnonzero(meet)


def fit(image: Images, xyxy: Labels) -> tuple[Images, Labels]:
    """Letterboxed to INPUT and RGB, with the boxes in its pixels."""
    height, width = image.shape[:2]
    scale = min(INPUT[0] / height, INPUT[1] / width)
    size = (round(width * scale), round(height * scale))
    # Small to smaller by area, as the core's letterbox does at exactly a half.
    small = cv2.resize(
        image, size, interpolation=cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR
    )
    left, top = (INPUT[1] - size[0]) // 2, (INPUT[0] - size[1]) // 2
    image = np.full((*INPUT, 3), GRAY, np.uint8)
    image[top : top + size[1], left : left + size[0]] = small[..., ::-1]
    return image, xyxy * scale + np.array([left, top, left, top], np.float32)


class Batches:
    """Endless augmented batches of a pool; `state` continues where another left off."""

    def __init__(self, pool: Pool, batch: int, seed: int) -> None:
        self._pool = pool
        self._batch = batch
        self.rng = np.random.default_rng(seed)

    def next(self, mosaic: float) -> tuple[Images, Labels]:
        """(b, 3, h, w) uint8 RGB, and (m, 6) objects as `detection_loss` takes them."""
        images, objects = [], []
        for place in range(self._batch):
            image, labels = self._four() if self.rng.random() < mosaic else self._one()
            image, labels = self._vary(image, labels)
            images.append(image)
            wide, tall = labels[:, 3] - labels[:, 1], labels[:, 4] - labels[:, 2]
            centers = (labels[:, 1:3] + labels[:, 3:5]) / 2
            index = np.full(len(labels), place, np.float32)
            objects.append(np.column_stack([index, labels[:, 0], centers, wide, tall]))
        stacked = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
        return stacked, np.concatenate(objects).astype(np.float32)

    def _pick(self) -> tuple[Images, Labels]:
        return self._pool.of(int(self.rng.integers(len(self._pool.labels))))

    def _one(self) -> tuple[Images, Labels]:
        """An image moved and scaled a little."""
        image, labels = self._pick()
        if self.rng.random() < 0.3:
            return np.array(image), labels.copy()
        scale = self.rng.uniform(0.75, 1.4)
        space = np.array(INPUT[::-1]) * (1 - scale)
        shift = self.rng.uniform(-0.1, 1.1, 2) * space
        return _moved(image, labels, scale, shift, INPUT)

    def _four(self) -> tuple[Images, Labels]:
        """Parts of four images around a random center."""
        height, width = INPUT
        cy, cx = int(self.rng.uniform(0.3, 0.7) * height), int(self.rng.uniform(0.3, 0.7) * width)
        canvas, found = np.full((*INPUT, 3), GRAY, np.uint8), []
        for top, bottom in ((0, cy), (cy, height)):
            for left, right in ((0, cx), (cx, width)):
                size = (bottom - top, right - left)
                image, labels = self._pick()
                scale = self.rng.uniform(0.6, 1.2)
                space = np.array(size[::-1]) - np.array(INPUT[::-1]) * scale
                shift = self.rng.random(2) * space
                part, kept = _moved(image, labels, scale, shift, size)
                canvas[top:bottom, left:right] = part
                kept[:, 1:] += np.array([left, top, left, top], np.float32)
                found.append(kept)
        return canvas, np.concatenate(found)

    def _vary(self, image: Images, labels: Labels) -> tuple[Images, Labels]:
        """Mirrored half of the time, with other light and colors."""
        if self.rng.random() < 0.5:
            image = image[:, ::-1]
            labels = labels.copy()
            labels[:, [1, 3]] = INPUT[1] - labels[:, [3, 1]]
        gain, lift = self.rng.uniform(0.75, 1.25, 3) * 0.4 + 0.6, self.rng.uniform(-14, 14)
        steps = (
            np.arange(256, dtype=np.float64)[:, None] * gain * self.rng.uniform(0.75, 1.2) + lift
        )
        table = steps.round().clip(0, 255).astype(np.uint8).reshape(256, 1, 3)
        return np.asarray(cv2.LUT(np.ascontiguousarray(image), table), np.uint8), labels


def _moved(
    image: Images, labels: Labels, scale: float, shift: np.ndarray, size: tuple[int, int]
) -> tuple[Images, Labels]:
    """Scaled, shifted, cut to (height, width), with the boxes of which enough is left."""
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    moved = cv2.warpAffine(
        image, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderValue=(GRAY, GRAY, GRAY)
    )
    offset = np.array([*shift, *shift], np.float32)
    boxes = labels[:, 1:] * np.float32(scale) + offset
    height, width = size
    cut = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    before = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    after = np.prod(cut[:, 2:] - cut[:, :2], axis=1)
    keep = (after > 0.25 * before) & (after > 12) & ((cut[:, 2:] - cut[:, :2]).min(axis=1) > 2)
    return np.asarray(moved, np.uint8), np.column_stack([labels[keep, :1], cut[keep]])


def save_labeled(folder: Path, seeds: range, shots: int = 1) -> Stills:
    """Frames at random times of the scenes, for measuring and calibrating."""
    stills = Stills(folder)
    for seed in seeds:
        if (stills.labels / f"scene{seed:06}-{shots - 1}.txt").is_file():
            continue
        scene = Scene(seed)
        times = np.random.default_rng((seed, 10)).integers(scene.frames, size=shots)
        for number, index in enumerate(times):
            stills.save(f"scene{seed:06}-{number}", scene.frame(int(index)))
    return stills
