"""The version of tallylens."""

__version__ = "0.1.0"
