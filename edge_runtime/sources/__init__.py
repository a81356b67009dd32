"""Frame sources: videos, images, cameras, streams and iterables, with capture times."""

from .live import PATIENCE_S, LiveOptions, Notice, no_notice
from .open import SourceSpec, open_source
from .source import Reader, Source

__all__ = [
    "PATIENCE_S",
    "LiveOptions",
    "Notice",
    "Reader",
    "Source",
    "SourceSpec",
    "no_notice",
    "open_source",
]
