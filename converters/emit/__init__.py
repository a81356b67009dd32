"""One emitter per target file format."""
