"""The outcome of a step: how many checks passed and failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """Checks that passed and failed, and what there is to say about them."""

    passed: int = 0
    failed: int = 0
    notes: tuple[str, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.passed + other.passed, self.failed + other.failed, self.notes + other.notes
        )


def require(holds: bool, note: str) -> Outcome:
    """One check; the note is shown if it failed."""
    return Outcome(passed=1) if holds else Outcome(failed=1, notes=(note,))
