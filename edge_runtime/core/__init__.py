"""The counting core, written once in C++ (`include/tally.h`) and shared with Android and iOS."""

from .counter_options import CounterOptions
from .decoder import Decoder, DecoderOptions
from .preprocessor import Letterbox, Preprocessor
from .track_counter import (
    Diagnostics,
    LineCounts,
    TrackCounter,
    Visit,
    ZoneCounts,
)

__all__ = [
    "CounterOptions",
    "Decoder",
    "DecoderOptions",
    "Diagnostics",
    "Letterbox",
    "LineCounts",
    "Preprocessor",
    "TrackCounter",
    "Visit",
    "ZoneCounts",
]
