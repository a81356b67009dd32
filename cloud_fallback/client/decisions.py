"""What was decided how often and why; for the report."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from .policy import Decision


class DecisionLog:
    """Counts decisions, and frames that took longer than `deadline_s`; any thread."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._decisions: Counter[Decision] = Counter()
        self._longest_s = 0.0
        self._missed = 0

    def add(self, decision: Decision, seconds: float) -> None:
        """A frame that took `seconds` in all."""
        with self._lock:
            self._decisions[decision] += 1
            self._longest_s = max(self._longest_s, seconds)
            self._missed += seconds > self._deadline_s

    def report(self) -> dict[str, Any]:
        """`frames` by action, `decisions` by reason, and how long the longest took."""
        with self._lock:
            frames = dict.fromkeys(("local", "cloud", "skip"), 0)
            for decision, number in self._decisions.items():
                frames[decision.action] += number
            reasons = [
                {"action": decision.action, "reason": decision.reason, "frames": number}
                for decision, number in self._decisions.most_common()
            ]
            return {
                "frames": frames,
                "decisions": reasons,
                "deadline_ms": round(self._deadline_s * 1000),
                "missed_deadlines": self._missed,
                "longest_frame_ms": round(self._longest_s * 1000, 1),
            }
