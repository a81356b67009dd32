"""Quantization for all targets at once: ranges, weights on the int8 grid, corrected biases."""
