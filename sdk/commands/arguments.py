"""Argument types and options that several commands share, and the JSON output."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tallylens.edge_runtime.text import printable

DAY_S = 86_400
ANCHORS = ("bottom-center", "center", "top-center")
Options = argparse.ArgumentParser | argparse._ArgumentGroup
"""A parser, or a group of one: anything that options can be added to."""


def input_size(text: str) -> tuple[int, int]:
    """Parse `640` or `384x640` (height x width) to (height, width)."""
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size. Use N or HxW, such as 640 or 384x640"
        )
    height = int(match[1])
    return height, int(match[2] or height)


def names(text: str) -> list[str]:
    """Parse `car,bus` to a list of names."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise argparse.ArgumentTypeError("give at least one name, or several with commas between")
    return parts


def positive(text: str) -> int:
    """Parse a whole number above zero."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def tcp_port(text: str) -> int:
    """Parse the number of a TCP port, from 1 to 65535."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def fraction(text: str) -> float:
    """Parse a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a fraction from 0 to 1")
    return value


def above_zero(text: str) -> float:
    """Parse a finite number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def seconds(text: str) -> float:
    """Parse a number of seconds, 0 or more, or `forever` (infinity)."""
    if text == "forever":
        return math.inf
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, nor `forever`")
    return number


def seconds_of_a_day(text: str) -> float:
    """Parse a number of seconds from 0 to 86400."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= DAY_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {DAY_S}")
    return number


def anchor(text: str) -> str:
    """Parse the name of an anchor point; the British spelling is accepted as well."""
    name = text.replace("centre", "center")
    if name not in ANCHORS:
        raise argparse.ArgumentTypeError(
            f"invalid choice: {text!r} (choose from {', '.join(ANCHORS)})"
        )
    return name


def add_imgsz(parser: Options) -> None:
    """Add `--imgsz`."""
    parser.add_argument(
        "--imgsz",
        type=input_size,
        metavar="N|HxW",
        help="model input size (height x width); only for models converted on the fly "
        "(.pt, foreign .onnx)",
    )


def add_names(parser: Options) -> None:
    """Add `--names`."""
    parser.add_argument(
        "--names",
        dest="names_file",
        type=Path,
        metavar="FILE",
        help="class names of the model, one per line or the YAML file of its data set, for a model "
        "that has none",
    )


def class_names(options: argparse.Namespace) -> tuple[str, ...] | None:
    """The class names in the file of --names, or None without it.

    Raises:
        InputError: no such names.
    """
    if options.names_file is None:
        return None
    from tallylens.edge_runtime.class_names import read_names

    return read_names(options.names_file)


def add_workers(parser: Options) -> None:
    """Add `--workers`."""
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="number of frames processed in parallel (default: one per core)",
    )


def add_json(parser: Options) -> None:
    """Add `--json`, for scripts."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document and nothing else"
    )


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on standard output."""
    # ASCII, because some terminals and pipes cannot encode every class name.
    print(json.dumps(document, indent=2))


def tell(notice: str) -> None:
    """Show a notice to the user: one line on standard error."""
    print(f"tallylens: {printable(notice)}", file=sys.stderr)


def interval(text: str) -> int:
    """Seconds of an interval such as 30s, 15m or 1h."""
    number, unit = text[:-1], {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    if unit is None or not (number.isascii() and number.isdigit() and 0 < int(number) <= 10_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not an interval, such as 30s, 15m or 1h")
    return int(number) * unit
