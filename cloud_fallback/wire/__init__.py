"""The offload protocol without I/O: frames, messages and the two ends of a session."""
