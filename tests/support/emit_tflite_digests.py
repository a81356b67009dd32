"""Prints the SHA-256 of the tiny graph's int8, fp16 and float .tflite files, one per line."""

from __future__ import annotations

import hashlib

from tallylens.converters.emit.tflite import emit_tflite
from tallylens.converters.quantize.calibrate import observe_ranges
from tallylens.edge_runtime.metadata import Quantization
from tests.support.tiny_graph import build_graph, random_images

QUANTIZATIONS: tuple[Quantization, ...] = ("int8", "fp16", "none")


def main() -> None:
    graph = build_graph()
    calibration = observe_ranges(graph, random_images(graph.metadata.input_size, 4))
    for quantization in QUANTIZATIONS:
        content = emit_tflite(graph, quantization=quantization, calibration=calibration)
        print(hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main()
