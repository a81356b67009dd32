"""Faults of the video service: what is broken, and what must be right afterwards."""
