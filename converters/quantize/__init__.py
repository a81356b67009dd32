"""Calibration, once for all targets: ranges, weights on their grid, biases put right."""
