"""Latency of TFLite files that take turns, on this processor and on one without VNNI."""
