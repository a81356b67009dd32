"""Frame sources: videos, images, cameras, streams and iterables, with capture times."""

from .live import PATIENCE_S, LiveOptions, Notice, quiet
from .open import SourceSpec, open_source
from .source import Reader, Source

__all__ = [
    "PATIENCE_S",
    "LiveOptions",
    "Notice",
    "Reader",
    "Source",
    "SourceSpec",
    "open_source",
    "quiet",
]
