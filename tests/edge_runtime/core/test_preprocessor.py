"""Letterboxing against OpenCV and numpy: every format, rotation, dtype and memory layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tallylens.edge_runtime.core import Letterbox, Preprocessor
from tallylens.edge_runtime.errors import CoreError, UsageError

Pixels = npt.NDArray[np.uint8]
GRAY = 114
DTYPES = ("uint8", "int8", "float32")
LAYOUTS = ("NHWC", "NCHW")


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> Pixels:
    shape = (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def photo(height: int, width: int) -> Pixels:
    """Light and edges without pixel noise, as a lens gives them."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin(x / 11 + y / 17 + phase) * 90 + 128 for phase in (0, 1, 2)]
    image = np.stack(waves, axis=-1).astype(np.uint8)
    image[height // 3 : height // 2, width // 4 : width // 2] = (250, 20, 130)
    return cv2.GaussianBlur(image, (5, 5), 0).astype(np.uint8)


def run(image: Pixels, height: int, width: int, **how: Any) -> tuple[Pixels, Letterbox]:
    """As (height, width, 3) uint8; the input starts full of other values."""
    target = np.full((1, height, width, 3), 77, np.uint8)
    letterbox = Preprocessor().run(image, target, layout="NHWC", **how)
    return target[0], letterbox


def scaled_size(letterbox: Letterbox) -> tuple[int, int]:
    """(width, height) of the image inside the input."""
    return (
        round(letterbox.gain_x * letterbox.source_width),
        round(letterbox.gain_y * letterbox.source_height),
    )


def assert_is_letterbox(rgb: Pixels, found: Pixels, letterbox: Letterbox) -> None:
    """`found` is `rgb` as OpenCV would scale it, within a gray level, centered on gray."""
    height, width = found.shape[:2]
    source_height, source_width = rgb.shape[:2]
    assert (letterbox.source_width, letterbox.source_height) == (source_width, source_height)
    gain = min(width / source_width, height / source_height)
    w, h = scaled_size(letterbox)
    assert (w, h) == (max(1, round(source_width * gain)), max(1, round(source_height * gain)))
    left, top = (width - w) // 2, (height - h) // 2
    assert (letterbox.pad_x, letterbox.pad_y) == (left, top)
    expected = np.full(found.shape, GRAY, np.int16)
    resized = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_LINEAR)
    expected[top : top + h, left : left + w] = resized
    difference = np.abs(expected - found)
    assert difference.max() <= 1
    difference[top : top + h, left : left + w] = 0
    assert not difference.any(), "the border is exactly gray"


@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(1, 64), st.integers(1, 64), st.integers(0)
)
def test_noise_of_any_size_is_scaled_as_opencv_does(
    source_height: int, source_width: int, height: int, width: int, seed: int
) -> None:
    # The worst case: the core rounds twice with weights of 1/256, OpenCV once.
    image = noise(source_height, source_width, seed=seed)
    found, letterbox = run(image, height, width, pixel_format="RGB")
    assert_is_letterbox(image, found, letterbox)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((432, 768), (640, 640)),
        ((352, 640), (640, 640)),
        ((352, 640), (384, 640)),
        ((300, 200), (128, 224)),
        ((97, 131), (320, 320)),
        ((640, 640), (640, 640)),
        ((1080, 1920), (384, 640)),
    ],
)
def test_images_are_within_one_level(source: tuple[int, int], target: tuple[int, int]) -> None:
    image = photo(*source)
    found, letterbox = run(image, *target, pixel_format="RGB")
    assert_is_letterbox(image, found, letterbox)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((1, 1), (1, 1)),
        ((1, 1), (32, 32)),
        ((1, 1), (32, 64)),
        ((64, 64), (1, 1)),
        ((1, 2000), (32, 32)),
        ((2000, 1), (32, 32)),
        ((2, 3000), (64, 32)),
        ((3, 3), (64, 2)),
    ],
)
def test_extreme_shapes(source: tuple[int, int], target: tuple[int, int]) -> None:
    image = noise(*source)
    found, letterbox = run(image, *target, pixel_format="RGB")
    assert_is_letterbox(image, found, letterbox)


def test_no_scaling_copies_every_pixel() -> None:
    image = noise(24, 40)
    found, letterbox = run(image, 31, 40, pixel_format="RGB")
    assert np.array_equal(found[3:27], image)
    assert (letterbox.gain_x, letterbox.gain_y, letterbox.pad_y) == (1, 1, 3)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("source", [(40, 70), (70, 40), (31, 31), (300, 17)])
def test_every_input_holds_the_same_image(
    source: tuple[int, int], dtype: str, layout: Literal["NHWC", "NCHW"]
) -> None:
    image = noise(*source)
    plain, _ = run(image, 48, 33)
    shape = (1, 48, 33, 3) if layout == "NHWC" else (1, 3, 48, 33)
    target = np.full(shape, 3, dtype)
    Preprocessor().run(image, target, layout=layout)
    found = target[0] if layout == "NHWC" else target[0].transpose(1, 2, 0)
    if dtype == "float32":
        np.testing.assert_allclose(found, plain / 255, rtol=0, atol=1e-7)
    else:
        assert np.array_equal(found.astype(int), plain.astype(int) - 128 * (dtype == "int8"))


def test_planes_wider_than_any_chunk() -> None:
    image = noise(20, 1000)
    plain, _ = run(image, 18, 900)
    target = np.zeros((1, 3, 18, 900), np.uint8)
    Preprocessor().run(image, target, layout="NCHW")
    assert np.array_equal(target[0].transpose(1, 2, 0), plain)


@pytest.mark.parametrize("target", [(48, 64), (30, 40)], ids=["scaled", "same size"])
def test_packed_formats_show_the_same_image(target: tuple[int, int]) -> None:
    rgb = noise(30, 40)
    alpha = noise(30, 40, 1, seed=1)
    expected, _ = run(rgb, *target, pixel_format="RGB")
    forms = {
        "BGR": rgb[..., ::-1],
        "RGBA": np.concatenate([rgb, alpha], axis=2),
        "BGRA": np.concatenate([rgb[..., ::-1], alpha], axis=2),
    }
    for name, image in forms.items():
        found, _ = run(np.ascontiguousarray(image), *target, pixel_format=name)
        assert np.array_equal(found, expected), name
    if target == (30, 40):
        assert np.array_equal(expected, rgb)


def from_yuv(yuv: Pixels, pixel_format: str) -> npt.NDArray[np.float64]:
    """BT.601 video range (ITU-R BT.601-7), chroma repeated, as float RGB."""
    height, width = yuv.shape[0] * 2 // 3, yuv.shape[1]
    chroma = yuv[height:].reshape(-1)
    if pixel_format == "I420":
        u, v = chroma.reshape(2, height // 2, width // 2)
    else:
        pairs = chroma.reshape(height // 2, width // 2, 2)
        u, v = pairs[..., 0], pairs[..., 1]
        if pixel_format == "NV21":
            u, v = v, u
    luma = 255 / 219 * (yuv[:height].astype(float) - 16)
    blue, red = (
        255 / 224 * (np.repeat(np.repeat(plane, 2, 0), 2, 1).astype(float) - 128)
        for plane in (u, v)
    )
    kr, kb = 0.299, 0.114
    kg = 1 - kr - kb
    r = luma + 2 * (1 - kr) * red
    b = luma + 2 * (1 - kb) * blue
    g = luma - 2 * (1 - kr) * kr / kg * red - 2 * (1 - kb) * kb / kg * blue
    return np.clip(np.stack([r, g, b], axis=-1), 0, 255)


YUV = {
    "NV12": cv2.COLOR_YUV2RGB_NV12,
    "NV21": cv2.COLOR_YUV2RGB_NV21,
    "I420": cv2.COLOR_YUV2RGB_I420,
}


@pytest.mark.parametrize("pixel_format", YUV)
@given(half_height=st.integers(1, 20), half_width=st.integers(1, 20), seed=st.integers(0))
def test_camera_formats(pixel_format: str, half_height: int, half_width: int, seed: int) -> None:
    height, width = 2 * half_height, 2 * half_width
    yuv = noise(3 * half_height, width, 1, seed)[..., 0]
    found, letterbox = run(yuv, height, width, pixel_format=pixel_format)
    assert (letterbox.source_width, letterbox.source_height) == (width, height)
    assert np.abs(found - from_yuv(yuv, pixel_format)).max() <= 1.5
    yuv[:height] = np.maximum(yuv[:height], 16)  # OpenCV takes nothing blacker than black
    found, _ = run(yuv, height, width, pixel_format=pixel_format)
    assert np.abs(found.astype(int) - cv2.cvtColor(yuv, YUV[pixel_format])).max() <= 2


@pytest.mark.parametrize("pixel_format", YUV)
def test_camera_formats_are_scaled_like_any_other(pixel_format: str) -> None:
    yuv = noise(60, 64, 1)[..., 0]
    upright, _ = run(yuv, 40, 64, pixel_format=pixel_format)
    expected, _ = run(upright, 50, 96, pixel_format="RGB")
    found, _ = run(yuv, 50, 96, pixel_format=pixel_format)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("pixel_format", ["BGR", "RGB", "BGRA", "RGBA", *YUV])
@pytest.mark.parametrize("target", [(48, 64), (20, 32), (32, 20)])
def test_rotations_turn_clockwise(
    target: tuple[int, int], pixel_format: str, rotation: int
) -> None:
    yuv, packed = noise(30, 32, 1)[..., 0], noise(20, 32, len(pixel_format))
    image, size = (yuv if pixel_format in YUV else packed), (20, 32)
    as_stored, _ = run(image, *size, pixel_format=pixel_format)
    upright = np.ascontiguousarray(np.rot90(as_stored, -rotation // 90))
    expected, plain = run(upright, *target, pixel_format="RGB")
    found, turned = run(image, *target, pixel_format=pixel_format, rotation=rotation)
    assert np.array_equal(found, expected)
    for name in ("gain_x", "gain_y", "pad_x", "pad_y", "source_width", "source_height"):
        assert getattr(turned, name) == getattr(plain, name)


VIEWS = {
    "crop": lambda a: a[7:60, 5:90],
    "mirrored": lambda a: a[:, ::-1],
    "upside down": lambda a: a[::-1],
    "both": lambda a: a[::-1, ::-1],
    "every second": lambda a: a[::2, ::2],
    "every second row": lambda a: a[::2],
    "transposed": lambda a: a.transpose(1, 0, 2),
    "one row from below": lambda a: a[::-1][:1],
    "one column": lambda a: a[:, 3:4],
    "one pixel": lambda a: a[9:10, 9:10],
    "repeated row": lambda a: np.broadcast_to(a[:1], a.shape),
    "channels reversed": lambda a: a[..., ::-1],
    "Fortran order": np.asfortranarray,
}


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_views_are_read_as_numpy_shows_them(view: Any, channels: int) -> None:
    # Large enough that freed copies would be returned to the system or written over.
    image = view(noise(600, 900, channels))
    pixel_format = "RGB" if channels == 3 else "RGBA"
    expected, _ = run(np.array(image, order="C"), 96, 96, pixel_format=pixel_format)
    found, _ = run(image, 96, 96, pixel_format=pixel_format)
    assert np.array_equal(found, expected)


def test_the_alpha_plane_can_be_cut_off() -> None:
    rgba = noise(30, 40, 4)
    expected, _ = run(rgba, 48, 64, pixel_format="RGBA")
    found, _ = run(rgba[..., :3], 48, 64, pixel_format="RGB")
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("pixel_format", YUV)
@pytest.mark.parametrize(
    "view", [lambda a: a[:, 4:44], lambda a: a[:, ::2], lambda a: a[::-1]], ids=range(3)
)
def test_views_of_camera_formats(view: Any, pixel_format: str) -> None:
    yuv = view(noise(60, 80, 1)[..., 0])
    expected, _ = run(np.array(yuv, order="C"), 48, 64, pixel_format=pixel_format)
    found, _ = run(yuv, 48, 64, pixel_format=pixel_format)
    assert np.array_equal(found, expected)


def test_the_source_is_left_alone() -> None:
    image = noise(50, 60)
    before = image.copy()
    image.setflags(write=False)
    run(image, 32, 32)
    assert np.array_equal(image, before)


def test_one_preprocessor_serves_changing_sizes() -> None:
    preprocessor = Preprocessor()
    for source, size in [((40, 60), 32), ((60, 40), 32), ((40, 60), 64), ((32, 32), 32)] * 2:
        image = noise(*source)
        target = np.zeros((1, size, size, 3), np.uint8)
        preprocessor.run(image, target, layout="NHWC")
        assert np.array_equal(target[0], run(image, size, size)[0])


@given(st.integers(20, 200), st.integers(20, 200), st.integers(32, 160), st.integers(32, 160))
def test_a_box_is_found_again_through_the_letterbox(
    source_height: int, source_width: int, height: int, width: int
) -> None:
    """A white box on black: its edges in the input, mapped back, are where it was drawn."""
    x1, y1, x2, y2 = (
        source_width // 4,
        source_height // 5,
        3 * source_width // 4,
        4 * source_height // 5,
    )
    image = np.zeros((source_height, source_width, 3), np.uint8)
    image[y1:y2, x1:x2] = 255
    found, box = run(image, height, width)
    w, h = scaled_size(box)
    inner = found[box.pad_y : box.pad_y + h, box.pad_x : box.pad_x + w, 0].astype(float) / 255
    # The area under a blurred edge is where the edge was, to a fraction of a pixel.
    columns, rows = inner.max(axis=0), inner.max(axis=1)
    assume(columns.max() == 1 and rows.max() == 1)  # not thinner than a pixel of the input
    ends = [int(columns.argmax()), int(rows.argmax())]
    for profile, end, gain, near, far in (
        (columns, ends[0], box.gain_x, x1, x2),
        (rows, ends[1], box.gain_y, y1, y2),
    ):
        first = end - profile[:end].sum()
        last = end + profile[end:].sum()
        assert abs(first / gain - near) <= 1 / gain + 0.5
        assert abs(last / gain - far) <= 1 / gain + 0.5


@pytest.mark.parametrize(
    ("image", "pixel_format"),
    [
        (noise(8, 8, 4), "BGR"),
        (noise(8, 8, 3), "RGBA"),
        (noise(8, 8, 1), "BGR"),
        (noise(8, 8, 1)[..., 0], "BGR"),
        (noise(8, 8, 3), "NV12"),
        (noise(8, 8, 1)[..., 0], "NV12"),  # 8 rows are not a whole Y and UV
        (noise(9, 7, 1)[..., 0], "I420"),
        (noise(8, 8).astype(np.float32), "BGR"),
        (noise(8, 8).astype(np.uint16), "BGR"),
        (noise(8, 8)[:0], "BGR"),
        (noise(8, 8)[:, :0], "BGR"),
        (np.zeros((), np.uint8), "BGR"),
    ],
)
def test_arrays_that_are_not_frames_are_refused(image: npt.NDArray[Any], pixel_format: str) -> None:
    with pytest.raises(UsageError) as refused:
        run(image, 32, 32, pixel_format=pixel_format)
    assert str(refused.value) == (
        f"a {image.dtype} array of shape {image.shape} is not a {pixel_format} frame. Give uint8 "
        "of (height, width, channels), or (height * 3 / 2, width) for NV12, NV21 and I420."
    )


def test_bounds_of_the_core() -> None:
    with pytest.raises(CoreError, match="rotation must be 0, 90, 180 or 270"):
        run(noise(8, 8), 32, 32, rotation=45)
    with pytest.raises(CoreError, match="image width must be 1 to 32768"):
        run(np.zeros((1, 32_769, 3), np.uint8), 32, 32)


@pytest.mark.realdata
def test_the_official_image(data: Path) -> None:
    golden = np.load(data / "models" / "yolov5n-bus.golden.npz")["images_u8"]
    image = cv2.imread(str(data / "models" / "bus.jpg"))
    assert image is not None
    found, _ = run(image.astype(np.uint8), 640, 640)
    assert np.abs(found.astype(int) - golden).max() <= 1


def rounded_mean(pixels: Pixels) -> Pixels:
    """Each 2 x 2 pixels as one."""
    wide = pixels.astype(np.uint16)
    total = wide[::2, ::2] + wide[::2, 1::2] + wide[1::2, ::2] + wide[1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


@pytest.mark.parametrize("side", [2, 6, 32, 34, 38, 96, 130])
@pytest.mark.parametrize("pixel_format", ["BGR", "RGBA", "I420", "NV12", "NV21"])
def test_half_and_third_size(pixel_format: str, side: int) -> None:
    # These have loops of their own; the frame at its own size is the measure.
    depth = {"BGR": 3, "RGBA": 4}.get(pixel_format)
    for divisor in (2, 3):
        whole = divisor * side
        frame = noise(whole, whole, depth) if depth else noise(whole * 3 // 2, whole, 1)[..., 0]
        own, _ = run(frame, whole, whole, pixel_format=pixel_format)
        small, _ = run(frame, side, side, pixel_format=pixel_format)
        expected = rounded_mean(own) if divisor == 2 else own[1::3, 1::3]
        np.testing.assert_array_equal(small, expected)
