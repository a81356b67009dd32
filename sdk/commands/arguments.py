"""Arguments that several commands share, and the one way to print JSON."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Mapping
from typing import Any


def input_size(text: str) -> tuple[int, int]:
    """`640` or `384x640` (height x width) to (height, width)."""
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 640 or 384x640")
    height = int(match[1])
    return height, int(match[2] or height)


def names(text: str) -> list[str]:
    """`car,bus` to its parts."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise argparse.ArgumentTypeError("give at least one name")
    return parts


def positive(text: str) -> int:
    """A whole number above zero."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction from 0 to 1")
    return value


def above_zero(text: str) -> float:
    """A number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def seconds(text: str) -> float:
    """Seconds from zero on, or `forever`."""
    if text == "forever":
        return math.inf
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return number


def add_json(parser: argparse.ArgumentParser) -> None:
    """The flag for scripts."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document and nothing else"
    )


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document on stdout."""
    # ASCII, because not every terminal or pipe takes every name.
    print(json.dumps(document, indent=2))
