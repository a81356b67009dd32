"""Helpers for tests of programs that use tallylens."""

from tallylens.edge_runtime.detection.fake_detector import FakeDetector

__all__ = ["FakeDetector"]
