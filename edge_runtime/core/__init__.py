"""The counting core, written once in C++ (`include/tally.h`) and shared with Android and iOS."""

from .counting import (
    CounterOptions,
    Diagnostics,
    LineCounts,
    Period,
    Stay,
    TrackCounter,
    ZoneCounts,
)
from .decode import Decoder, DecoderOptions
from .preprocess import Letterbox, Preprocessor

__all__ = [
    "CounterOptions",
    "Decoder",
    "DecoderOptions",
    "Diagnostics",
    "Letterbox",
    "LineCounts",
    "Period",
    "Preprocessor",
    "Stay",
    "TrackCounter",
    "ZoneCounts",
]
