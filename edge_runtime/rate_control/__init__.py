"""Which frames are processed, and at which input size."""
