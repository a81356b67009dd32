"""Standard output as the destination of `--events -`, whose reader may end before the count."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tallylens.terminal.streams import tolerant


class EventOutput:
    """Replaces standard output, so that a reader that ends (`| head -1`) does not end the count.

    Args:
        continues: whether the count continues then, because something else is written.

    Attributes:
        stop: called to end the count, if it does not continue.
        lost: the reader has ended.
    """

    def __init__(self, *, continues: bool) -> None:
        self.stop: Callable[[], object] | None = None
        self.lost = False
        self._continues = continues
        sys.stdout = tolerant(sys.stdout, self._reader_ended)

    def _reader_ended(self) -> None:
        self.lost = True
        outcome = "the count continues without it" if self._continues else "the count ends"
        print(f"tallylens: the reader of --events - has ended; {outcome}", file=sys.stderr)
        if self.stop is not None and not self._continues:
            self.stop()
