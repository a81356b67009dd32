"""Facts of the training: read where they are in order, left out where they are not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallylens.converters.checkpoint.training import Training, input_size, read_training
from tallylens.converters.checkpoint.values import Record


def namespace(**options: object) -> Record:
    return Record("argparse.Namespace", dict(options))


@pytest.mark.parametrize(
    ("document", "training"),
    [
        ({"opt": namespace(imgsz=320, epochs=100)}, Training(320, 100)),
        ({"opt": {"imgsz": 416}}, Training(416)),
        ({"opt": namespace(img_size=[512, 640])}, Training(512)),
        ({"train_args": {"imgsz": 320, "epochs": 3}, "opt": {"imgsz": 640}}, Training(320, 3)),
        ({"date": "2026-11-25T21:00:00"}, Training(date="2026-11-25T21:00:00")),
        ({"opt": namespace(imgsz=-1, epochs=True)}, Training()),
        ({"opt": namespace(imgsz=1 << 40), "date": "\x1b[2J"}, Training()),
        ({"opt": namespace(img_size=[])}, Training()),
        ({"opt": None}, Training()),
        ([], Training()),
    ],
)
def test_facts(document: Any, training: Training) -> None:
    assert read_training(document) == training


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["opt", "imgsz", "epochs", "date"]), inner, max_size=4
            )
        ),
        max_leaves=10,
    )
)
def test_anything_gives_facts_in_bounds(document: Any) -> None:
    training = read_training(document)
    assert training.input_side is None or 32 <= training.input_side <= 8192


@pytest.mark.parametrize(
    ("side", "stride", "size"), [(320, 32, (320, 320)), (300, 32, (320, 320)), (None, 32, None)]
)
def test_the_size_is_a_multiple_of_the_stride(side: Any, stride: int, size: Any) -> None:
    assert input_size(Training(side), stride) == size
