"""Engines: one protocol (`protocol.py`) over LiteRT and ONNX Runtime, opened by content."""

from .open import EngineInfo, available_engines, open_engine
from .protocol import Engine, HeadSpec, TensorView

__all__ = [
    "Engine",
    "EngineInfo",
    "HeadSpec",
    "TensorView",
    "available_engines",
    "open_engine",
]
