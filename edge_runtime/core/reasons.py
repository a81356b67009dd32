"""Reasons of decisions, in the core's words."""

from __future__ import annotations

from typing import Any, cast

from .native import ffi, lib, text

NONE: int = lib.TALLY_REASON_NONE


def reason_text(reason: int) -> str:
    """A reason in words, as reports show it; "" for none.

    >>> reason_text(lib.TALLY_REASON_NO_CREDIT)
    'no credit'
    """
    return "" if reason == NONE else text(lib.tally_reason_text(reason)) or f"reason {reason}"


def reasons() -> dict[str, int]:
    """The number of each reason by its words; "" is that of NONE."""
    members = cast(dict[int, Any], ffi.typeof("tally_reason").elements)
    return {reason_text(number): number for number in members}
