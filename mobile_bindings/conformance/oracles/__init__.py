"""Independent implementations, in plain Python, that expected values are computed by."""
