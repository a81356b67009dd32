"""Lines under imperfect boxes: what is counted must have moved over the line as a whole.

All scenes are 1280x720 with the line at y 400 unless said; `in` is downwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.edge_runtime.core import CounterOptions
from tests.support import scenes
from tests.support.scenes import box

Frames = list[list[np.ndarray]]
LINE_Y = 400.0
LINE = ((0.0, LINE_Y), (1280.0, LINE_Y))
SIZES = [(60, 60), (60, 160), (120, 60)]
RATES = [7, 10, 25, 30, 120]


def walk(
    bottoms: Iterable[float],
    size: tuple[float, float] = (60, 120),
    *,
    noise: float = 1,
    seed: int = 0,
) -> Frames:
    """One box whose bottom edge takes these positions, frame after frame."""
    random = np.random.default_rng(seed)
    return [[box(640, bottom, *size) + random.normal(0, noise, 4)] for bottom in bottoms]


def crossings(frames: Frames, fps: float = 30, *, conclude: bool = False) -> tuple[int, int]:
    return scenes.play_boxes(frames, fps=fps, lines=[LINE], conclude=conclude).crossings()


# ---- boxes whose edges move --------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("fps", RATES)
def test_one_frame_flicker_of_the_lower_edge(
    size: tuple[float, float], share: float, fps: float
) -> None:
    """Three times in 90 frames the lower edge is `share` sizes off, over the line and back."""
    side = float(np.sqrt(np.prod(size)))
    for way in (1, -1):
        for near in (2, 10, 20):
            for noise in (0, 1.5):
                frames = walk([LINE_Y - way * near] * 90, size, noise=noise)
                for index in (30, 50, 70):
                    (shown,) = frames[index]
                    shown[3] = max(shown[3] + way * share * side, shown[1] + 8)
                assert crossings(frames, fps) == (0, 0), (way, near, noise)


def half_hidden(size: tuple[float, float], below: float, hold: int, steps: int) -> Iterator[float]:
    """Shares of the box that are hidden: six times half of it, `steps` frames in between."""
    yield from [0.0] * 30
    fall = np.linspace(0, 0.5, steps + 1)[1:]
    for _ in range(6):
        yield from [*fall, *[0.5] * hold, *(0.5 - fall), *[0.0] * hold]


@pytest.mark.parametrize("size", [(60, 160), (120, 120)])
@pytest.mark.parametrize("below", [10, 40, 70])
@pytest.mark.parametrize("hold", [3, 10, 20, 45, 90])
@pytest.mark.parametrize("steps", [1, 3, 6, 12])
def test_a_lower_half_that_is_hidden_six_times(
    size: tuple[float, float], below: float, hold: int, steps: int
) -> None:
    """The object stands across the line: its head on one side, its feet `below` on the other."""
    for seed in range(4):
        random = np.random.default_rng(seed)
        frames = []
        for hidden in half_hidden(size, below, hold, steps):
            whole = box(640, LINE_Y + below, *size)
            frames.append([whole - (0, 0, 0, hidden * size[1]) + random.normal(0, 1, 4)])
        played = scenes.play_boxes(frames, lines=[LINE])
        assert (played.crossings(), played.unique()) == ((0, 0), 1), seed


@pytest.mark.parametrize("hold", [1, 3, 8, 15, 30])
@pytest.mark.parametrize("behind", [10, 20])
@pytest.mark.parametrize("seed", range(3))
def test_a_lower_edge_that_jumps_back_behind_the_line(hold: int, behind: int, seed: int) -> None:
    """The object has crossed; ten times its box ends 25 px higher, before the line."""
    bottoms = [*np.arange(250, LINE_Y + behind, 5)]
    short: list[int] = []
    for _ in range(10):
        bottoms += [LINE_Y + behind] * 20
        short += range(len(bottoms), len(bottoms) + hold)
        bottoms += [LINE_Y + behind] * hold
    bottoms += [*np.arange(LINE_Y + behind, 640, 4)]
    frames = walk(bottoms, seed=seed)
    for index in short:
        frames[index][0][3] -= 25
    assert crossings(frames) == (1, 0)


# ---- stopping and turning -----------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0.3, 0.5, 1, 2, 3, 3.3, 5, 10])
@pytest.mark.parametrize("off", [-3, 0, 3])
@pytest.mark.parametrize("fps", [10, 30])
def test_stopping_on_the_line_and_lost_there_six_times(gap: float, off: float, fps: float) -> None:
    """A person walks to the line, waits with 6 px of jitter, is lost for `gap` s, walks on."""
    for seed in range(3):
        random = np.random.default_rng(seed)
        size = (60, 160)
        stop = LINE_Y + off
        step = 4 * 30 / fps
        waits = [
            [box(640, stop, *size) + random.uniform(-6, 6, 4)] for _ in range(round(fps * 6.5))
        ]
        frames = walk(np.arange(250, stop, step), size, seed=seed)
        for start in range(6):
            frames += waits[start * round(fps) : (start + 1) * round(fps)]
            frames += [[] for _ in range(round(gap * fps))]
        frames += waits[6 * round(fps) :]
        frames += walk(np.arange(stop, 640, step), size, seed=seed + 1)
        played = scenes.play_boxes(frames, fps=fps, lines=[LINE])
        assert (played.crossings(), played.unique()) == ((1, 0), 1), seed


@pytest.mark.parametrize("depth", [15, 30, 60, 120])
@pytest.mark.parametrize("speed", [2, 5, 12])
def test_a_turn_behind_the_line_counts_both_ways(depth: float, speed: float) -> None:
    there = np.arange(250, LINE_Y + depth, speed)
    back = np.arange(LINE_Y + depth, 250, -speed)
    assert crossings(walk([*there, *back])) == (1, 1)


@pytest.mark.parametrize("speed", [2, 5, 12])
@pytest.mark.parametrize("pause", [0, 10, 90])
def test_turning_back_on_the_line_counts_nothing(speed: float, pause: int) -> None:
    there, back = np.arange(250, LINE_Y, speed), np.arange(LINE_Y, 250, -speed)
    assert crossings(walk([*there, *[LINE_Y] * pause, *back])) == (0, 0)


@pytest.mark.parametrize("speed", [10, 14, 20])
def test_crossing_twice_within_a_second_counts_both(speed: float) -> None:
    there, back = np.arange(300, 500, speed), np.arange(500, 300, -speed)
    assert crossings(walk([*there, *back])) == (1, 1)


# ---- what must be counted, and when -------------------------------------------------------------


@pytest.mark.parametrize("fps", [5, *RATES])
@pytest.mark.parametrize("size", [*SIZES, (160, 90)])
@pytest.mark.parametrize("speed", [0.3, 1, 3, 8])
def test_a_plain_crossing(fps: float, size: tuple[float, float], speed: float) -> None:
    """`speed` is in sizes per second."""
    side = float(np.sqrt(np.prod(size)))
    bottoms = np.arange(120, 680, speed * side / fps)
    if len(bottoms) < 4:
        pytest.skip("passes in fewer than four frames")
    frames = walk(bottoms, size, noise=0.02 * side)
    played = scenes.play_boxes(frames, fps=fps, lines=[LINE])
    assert (played.crossings(), played.unique()) == ((1, 0), 1)
    (crossed,) = (event for event in played.events if event.kind == "crossed_in")
    assert crossed.y == pytest.approx(LINE_Y, abs=1)
    when = (LINE_Y - 120) / (speed * side)
    assert crossed.timestamp_ns / 1e9 == pytest.approx(
        when, abs=0.15 * side / (speed * side) + 1 / fps
    )


@pytest.mark.parametrize("fps", RATES)
def test_what_drives_through_is_reported_at_once(fps: float) -> None:
    """At 3 sizes per second, within a tenth of a second and one frame."""
    frames = walk(np.arange(120, 680, 3 * 100 / fps), (100, 100), noise=1)
    counter_lines = scenes.play_boxes(
        frames[: round(fps * ((LINE_Y - 120) / 300 + 0.1)) + 2], fps=fps, lines=[LINE]
    )
    assert counter_lines.crossings() == (1, 0)


@pytest.mark.parametrize("fps", [7, 30])
@pytest.mark.parametrize("seconds", [1, 3])
def test_an_object_that_comes_nearer_grows_over_the_line(fps: float, seconds: float) -> None:
    """Its far edge hardly moves; the near one goes over the line."""
    random = np.random.default_rng(0)
    frames = []
    for share in np.arange(0, 1, 1 / (seconds * fps)):
        width, bottom = 60 + 120 * share, 300 + 360 * share
        near = np.array((640 - width / 2, 220, 640 + width / 2, bottom))
        frames.append([near + random.normal(0, 2, 4)])
    assert crossings(frames, fps) == (1, 0)


@pytest.mark.parametrize("speed", [3, 10, 30])
def test_leaving_the_frame_right_behind_the_line(speed: float) -> None:
    frames = []
    for bottom in np.arange(500, 860, speed):
        seen = np.minimum(box(640, bottom, 60, 120), (1280, 720, 1280, 720))
        frames.append([seen] if seen[3] - seen[1] > 20 else [])
    frames += [[]] * 30
    low = scenes.play_boxes(frames, lines=[((0, 700), (1280, 700))])
    assert low.crossings() == (1, 0)


def test_a_source_that_ends_right_behind_the_line() -> None:
    """`conclude` reports what moves on past the line, and not what stands or turns there."""
    moving = walk(np.arange(250, LINE_Y + 8, 4), noise=0)
    standing = walk([*np.arange(250, LINE_Y + 6, 4), *[LINE_Y + 6] * 60], noise=0)
    assert crossings(moving) == (0, 0)
    assert crossings(moving, conclude=True) == (1, 0)
    assert crossings(standing, conclude=True) == (0, 0)


# ---- the same in every direction ----------------------------------------------------------------


def scene_of(seed: int, fps: float) -> Frames:
    """A walk over the line and around it, with a lower edge that is cut at times."""
    random = np.random.default_rng(seed)
    stations = np.cumsum(random.uniform(-1, 1, 6) * 150) + LINE_Y
    stations = np.clip(stations, 200, 600)
    bottoms = np.interp(np.arange(0, 5, 1 / fps), np.arange(6), stations)
    frames = walk(bottoms, seed=seed)
    for index in random.integers(len(frames), size=4):
        shown = frames[index][0]
        shown[3] -= random.uniform(0, 0.75) * (shown[3] - shown[1])
    return frames


Corners = tuple[float, float, float, float]
MIRRORS: dict[str, Callable[[Corners], Corners]] = {
    "left and right": lambda b: (1280 - b[2], b[1], 1280 - b[0], b[3]),
    "up and down": lambda b: (b[0], 720 - b[3], b[2], 720 - b[1]),
    "x and y": lambda b: (b[1], b[0], b[3], b[2]),
}


def mirrored_point(mirror: Callable[[Corners], Corners], point: scenes.Point) -> scenes.Point:
    return mirror((*point, *point))[:2]


@pytest.mark.slow
@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    fps=st.sampled_from(RATES),
    name=st.sampled_from(sorted(MIRRORS)),
    tilt=st.floats(-300, 300),
)
def test_a_mirrored_scene_has_mirrored_counts(
    seed: int, fps: float, name: str, tilt: float
) -> None:
    """Each mirroring swaps `in` and `out`; the anchor is the center, which is mirrored, too."""
    mirror, options = MIRRORS[name], CounterOptions(anchor="center")
    frames, center = scene_of(seed, fps), LINE_Y - 60
    start, end = (0.0, center - tilt), (1280.0, center + tilt)
    plain = scenes.play_boxes(frames, fps=fps, lines=[(start, end)], options=options)
    turned = scenes.play_boxes(
        [[np.array(mirror(tuple(row))) for row in boxes] for boxes in frames],
        fps=fps,
        lines=[(mirrored_point(mirror, start), mirrored_point(mirror, end))],
        frame_size=(720, 1280) if name == "x and y" else (1280, 720),
        options=options,
    )
    assert turned.crossings() == plain.crossings()[::-1]
    assert turned.unique() == plain.unique()
