"""Models from a source file to one file for each target."""
