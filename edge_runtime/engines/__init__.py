"""Engines: one protocol (`protocol.py`) over LiteRT and ONNX Runtime, opened by content."""

from .engine import Engine, HeadSpec, TensorView
from .open import EngineInfo, available_engines, open_engine

__all__ = [
    "Engine",
    "EngineInfo",
    "HeadSpec",
    "TensorView",
    "available_engines",
    "open_engine",
]
