"""Inference engines: the `Engine` protocol over LiteRT and ONNX Runtime."""

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
