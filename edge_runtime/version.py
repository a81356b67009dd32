"""The version of tallylens."""

__version__ = "0.2.0"
