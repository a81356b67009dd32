"""DetectorGraph to a Core ML package, through coremltools' MIL builder; see `emitter`."""
