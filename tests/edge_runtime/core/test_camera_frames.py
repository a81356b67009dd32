"""YUV frames as cameras give them, against the exact conversion; BGRA and padded engine inputs."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tallylens.edge_runtime.core import Preprocessor
from tallylens.edge_runtime.core.images import PixelFormat
from tallylens.edge_runtime.core.native import Handle, ffi, lib, struct
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.types import Image, YuvMatrix, YuvPlanes
from tests.support.conversions import converted

MATRICES: dict[YuvMatrix, tuple[float, float]] = {
    "BT.601": (0.299, 0.114),
    "BT.709": (0.2126, 0.0722),
}
SIZES = [(18, 40), (17, 40), (18, 41), (17, 39), (1, 1), (2, 1), (1, 35), (70, 3), (33, 130)]


def exact_rgb(planes: YuvPlanes) -> npt.NDArray[np.float64]:
    """ITU-R BT.601-7 and BT.709-6 as they are written, chroma repeated, turned upright."""
    height, width = planes.y.shape
    kr, kb = MATRICES[planes.matrix]
    kg = 1 - kr - kb
    black, luma, chroma = (0, 1, 1) if planes.full_range else (16, 255 / 219, 255 / 224)
    y = luma * (planes.y.astype(float) - black)
    u, v = (
        chroma * (np.repeat(np.repeat(plane, 2, 0), 2, 1)[:height, :width].astype(float) - 128)
        for plane in (planes.u, planes.v)
    )
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = y - 2 * (1 - kr) * kr / kg * v - 2 * (1 - kb) * kb / kg * u
    rgb = np.clip(np.stack([red, green, blue], axis=-1), 0, 255)
    turned: npt.NDArray[np.float64] = np.rot90(rgb, -planes.rotation // 90)
    return turned


def nothing() -> Image:
    raise AssertionError("no test needs the conversion of the source")


def planes_of(
    height: int,
    width: int,
    step: int = 1,
    padding: int = 0,
    seed: int = 0,
    **how: Any,
) -> YuvPlanes:
    """Noise in planes with gaps between samples and between rows."""
    random = np.random.default_rng(seed)
    half_height, half_width = (height + 1) // 2, (width + 1) // 2
    y = random.integers(0, 256, (height, width + padding), np.uint8)[:, :width]
    u, v = (
        random.integers(0, 256, (half_height, half_width * step + padding), np.uint8)[
            :, : half_width * step : step
        ]
        for _ in range(2)
    )
    return YuvPlanes(y, u, v, to_bgr=nothing, **how)


def upright(image: Image | YuvPlanes, height: int, width: int, **how: Any) -> Image:
    """(height, width, 3) RGB of the letterbox."""
    target: Image = np.full((1, height, width, 3), 77, np.uint8)
    Preprocessor().run(image, target, layout="NHWC", **how)
    upright_pixels: Image = target[0]
    return upright_pixels


def assert_exact(planes: YuvPlanes) -> None:
    expected = exact_rgb(planes)
    found = upright(planes, *expected.shape[:2])
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("full_range", [False, True], ids=["video", "full"])
@pytest.mark.parametrize("matrix", MATRICES)
def test_planes_of_any_step_and_stride(matrix: YuvMatrix, full_range: bool, rotation: int) -> None:
    for (height, width), step, padding in itertools.product(SIZES, (1, 2, 3), (0, 5)):
        planes = planes_of(height, width, step, padding)
        assert_exact(replace(planes, matrix=matrix, full_range=full_range, rotation=rotation))


@pytest.mark.parametrize("full_range", [False, True], ids=["video", "full"])
@pytest.mark.parametrize("matrix", MATRICES)
def test_every_color(matrix: YuvMatrix, full_range: bool) -> None:
    """All Y with a grid of U and V; gray stays gray, and full-range gray is Y itself."""
    y = np.tile(np.arange(256, dtype=np.uint8), (128, 2))
    grid = np.arange(0, 256, 4, dtype=np.uint8)
    u = np.repeat(np.tile(grid, 4), 1).reshape(1, -1).repeat(64, 0)
    v = grid.reshape(-1, 1).repeat(256, 1)
    assert_exact(YuvPlanes(y, u, v, nothing, full_range=full_range, matrix=matrix))
    gray = YuvPlanes(
        y, np.full_like(u, 128), np.full_like(v, 128), nothing, full_range=full_range, matrix=matrix
    )
    found = upright(gray, *y.shape)
    assert np.array_equal(found[..., 0], found[..., 1])
    assert np.array_equal(found[..., 0], found[..., 2])
    if full_range:
        assert np.array_equal(found[..., 0], y)


def pairs_of(planes: YuvPlanes, v_first: bool) -> tuple[Image, Image, Image]:
    """The chroma of `planes` in one plane of pairs; that plane, and views of U and V."""
    first, second = (planes.v, planes.u) if v_first else (planes.u, planes.v)
    pairs = np.stack([first, second], axis=-1).reshape(len(first), -1)
    u, v = (pairs[:, 1::2], pairs[:, ::2]) if v_first else (pairs[:, ::2], pairs[:, 1::2])
    return pairs, u, v


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("v_first", [False, True], ids=["NV12", "NV21"])
def test_one_image_in_every_form(v_first: bool, rotation: int) -> None:
    """Pairs, as an array and as three pointers, hold the pixels of planes of their own."""
    name: PixelFormat = "NV21" if v_first else "NV12"
    for height, width in [(18, 40), (34, 66), (200, 130)]:
        planes = planes_of(height, width, full_range=True, matrix="BT.709", rotation=rotation)
        size = (width, height) if rotation in (90, 270) else (height, width)
        for target in (size, (48, 64)):
            expected = upright(planes, *target)
            pairs, u, v = pairs_of(planes, v_first)
            as_pointers = YuvPlanes(planes.y, u, v, nothing, rotation, True, "BT.709")
            assert np.array_equal(upright(as_pointers, *target), expected)
            array = np.concatenate([planes.y, pairs])
            how: dict[str, Any] = {"rotation": rotation, "full_range": True, "matrix": "BT.709"}
            assert np.array_equal(upright(array, *target, pixel_format=name, **how), expected)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pairs_without_their_last_byte(rotation: int) -> None:
    """The sample beside it stands for the missing one; no other pixel changes."""
    planes = planes_of(18, 40, rotation=rotation)
    whole, _, _ = pairs_of(planes, v_first=True)
    u = planes.u.copy()
    u[-1, -1] = u[-1, -2]
    expected = exact_rgb(YuvPlanes(planes.y, u, planes.v, nothing, rotation))
    short = whole.reshape(-1)[:-1].copy()
    target = np.zeros(expected.shape, np.uint8)
    height, width = expected.shape[:2]
    image = struct(
        "image",
        format=lib.TALLY_NV21,
        width=40,
        height=18,
        rotation=rotation,
        strides=[planes.y.strides[0], 40, 0],
        planes=[
            ffi.cast("uint8_t *", planes.y.ctypes.data),
            ffi.cast("uint8_t *", short.ctypes.data),
            ffi.NULL,
        ],
        plane_bytes=[planes.y.nbytes, short.nbytes, 0],
    )
    tensor = struct(
        "tensor",
        width=width,
        height=height,
        data=ffi.cast("void *", target.ctypes.data),
        bytes=target.nbytes,
    )
    handle = Handle("preprocessor")
    handle.call(lib.tally_preprocessor_run, image, tensor, ffi.new("tally_letterbox *"))
    assert np.abs(target - expected).max() <= 1


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("form", ["planes", "NV12", "NV21"])
def test_scaling_converts_first(form: str, rotation: int) -> None:
    """Made smaller, a frame gives the bytes of its conversion made smaller, on every processor."""
    for (height, width), step in itertools.product(
        [(63, 97), (64, 300), (180, 96), (41, 40)], (1, 3)
    ):
        planes = planes_of(height, width, step, padding=1, rotation=rotation, full_range=step == 1)
        if form != "planes":
            _, u, v = pairs_of(planes, v_first=form == "NV21")
            planes = replace(planes, u=u, v=v)
        turned = (width, height) if rotation in (90, 270) else (height, width)
        converted_rgb = upright(planes, *turned)
        for size in itertools.product((16, 17, 21, 32, 48, 61), (16, 17, 20, 32, 33, 50, 64)):
            expected = upright(converted_rgb, *size, pixel_format="RGB")
            assert np.array_equal(upright(planes, *size), expected)
            target = np.full((1, size[0], size[1] + 3, 4), 77, np.uint8)
            Preprocessor().run(planes, target[:, :, : size[1]], layout="NHWC")
            assert np.array_equal(target[0, :, : size[1], 2::-1], expected)
            assert (target[:, :, size[1] :] == 77).all()


def test_even_crops_of_a_camera_frame() -> None:
    planes = planes_of(60, 80, 2, 6, rotation=90)
    part = YuvPlanes(
        planes.y[10:50, 20:70], planes.u[5:25, 10:35], planes.v[5:25, 10:35], nothing, 90
    )
    assert_exact(part)
    whole = upright(planes, 80, 60)
    assert np.array_equal(upright(part, 50, 40), np.rot90(np.rot90(whole, 1)[10:50, 20:70], -1))


@pytest.mark.parametrize(
    "view", [lambda a: a[::-1], lambda a: a[:, ::-1], lambda a: a.T.copy().T], ids=range(3)
)
def test_planes_in_any_order_of_memory(view: Any) -> None:
    planes = planes_of(40, 60)
    turned = YuvPlanes(view(planes.y), view(planes.u), view(planes.v), nothing)
    assert_exact(turned)
    mixed = YuvPlanes(planes.y, planes.u, np.repeat(planes.v, 2, axis=1)[:, ::2], nothing)
    assert np.array_equal(upright(mixed, 40, 60), upright(planes, 40, 60))


def test_planes_that_are_not_an_image() -> None:
    planes = planes_of(40, 60)
    bad: Any
    for bad in (planes.u[:-1], planes.u[:, :-1], planes.u.astype(np.int16)):
        with pytest.raises(UsageError, match=r"are not an image\. Give uint8, U and V of shape"):
            upright(YuvPlanes(planes.y, bad, planes.v, nothing), 40, 60)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("pixel_format", ["BGR", "RGB", "BGRA", "RGBA", "NV21"])
@pytest.mark.parametrize("size", [(48, 64), (20, 32), (32, 20)])
def test_bgra_inputs_hold_the_rgb_pixels(
    size: tuple[int, int], pixel_format: PixelFormat, rotation: int
) -> None:
    random = np.random.default_rng(1)
    shape = (30, 32) if pixel_format == "NV21" else (20, 32, len(pixel_format))
    image = random.integers(0, 256, shape, np.uint8)
    expected = upright(image, *size, pixel_format=pixel_format, rotation=rotation)
    for padding in (0, 1, 16):
        wide = np.full((1, size[0], size[1] + padding, 4), 77, np.uint8)
        target = wide[:, :, : size[1]]
        Preprocessor().run(
            image, target, layout="NHWC", pixel_format=pixel_format, rotation=rotation
        )
        assert np.array_equal(target[0, ..., 2::-1], expected)
        assert (target[..., 3] == 255).all()
        assert (wide[:, :, size[1] :] == 77).all()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_padded_inputs_hold_the_packed_values(dtype: str) -> None:
    image = np.random.default_rng(2).integers(0, 256, (50, 70, 3), np.uint8)
    packed = np.zeros((1, 48, 33, 3), dtype)
    Preprocessor().run(image, packed, layout="NHWC")
    wide = np.full((1, 48, 40, 3), 5, dtype)
    Preprocessor().run(image, wide[:, :, :33], layout="NHWC")
    assert np.array_equal(wide[:, :, :33], packed)
    assert (wide[:, :, 33:] == 5).all()


def camera_planes(bgr: Image, full_range: bool, matrix: YuvMatrix, rotation: int) -> YuvPlanes:
    """`bgr` as a camera held the other way round by `rotation` stores it."""
    stored = np.rot90(bgr, rotation // 90).astype(float)
    kr, kb = MATRICES[matrix]
    y = stored @ np.array([kb, 1 - kr - kb, kr])
    u, v = (stored[..., 0] - y) / (2 * (1 - kb)), (stored[..., 2] - y) / (2 * (1 - kr))
    black, luma, chroma = (0, 1, 1) if full_range else (16, 219 / 255, 224 / 255)

    def plane(values: npt.NDArray[np.float64]) -> Image:
        return np.rint(np.clip(values, 0, 255)).astype(np.uint8)

    def halved(values: npt.NDArray[np.float64]) -> Image:
        return plane(128 + chroma * values.reshape(len(values) // 2, 2, -1, 2).mean((1, 3)))

    return YuvPlanes(
        plane(black + luma * y),
        halved(u),
        halved(v),
        to_bgr=nothing,
        rotation=rotation,
        full_range=full_range,
        matrix=matrix,
    )


@pytest.mark.realdata
@pytest.mark.slow
def test_yolov5n_finds_the_same_objects(data: Path) -> None:
    """In NV21 frames of every range, matrix and turn as in their exact conversion."""
    model = converted(data / "models" / "yolov5n.pt", "tflite", "640")
    detector = Detector(open_engine(model))
    photo = cv2.imread(str(data / "models" / "bus.jpg"))
    assert photo is not None
    for matrix, full_range, rotation in itertools.product(
        MATRICES, (False, True), (0, 90, 180, 270)
    ):
        planes = camera_planes(photo.astype(np.uint8), full_range, matrix, rotation)
        rgb = np.rint(exact_rgb(planes)).astype(np.uint8)
        expected = detector.detect(np.ascontiguousarray(rgb), pixel_format="RGB")
        _, u, v = pairs_of(planes, v_first=True)
        found = detector.detect_planes(
            YuvPlanes(planes.y, u, v, nothing, rotation, full_range, matrix)
        )
        sure = expected.confidence > 0.25
        assert sure.sum() >= 4
        assert found.class_id[found.confidence > 0.25].tolist() == expected.class_id[sure].tolist()
        difference = found.xyxy[: sure.sum()] - expected.xyxy[sure]
        assert np.abs(difference).max() <= 1
