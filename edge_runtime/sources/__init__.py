"""Sources: frames with capture times from files, folders, cameras, addresses and iterables."""

from .live import LiveOptions
from .open import SourceSpec, open_source
from .source import Source

__all__ = ["LiveOptions", "Source", "SourceSpec", "open_source"]
