"""How much of its plan a key uses, as the processes of a cluster report it to each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KeyUse:
    """Use of one key.

    Args:
        connections: open now.
        frames: taken, since the last report or today.
        per_second: frames per second, lately.
    """

    connections: int = 0
    frames: int = 0
    per_second: float = 0.0

    def rate_left(self, limit: int, connections: int) -> int:
        """Frames per second that remain of `limit` beside this use by others.

        At least the share of this process by its number of `connections`, so that whoever came
        first does not keep everything.
        """
        share = limit * connections / max(1, connections + self.connections)
        return max(1, int(max(share, limit - self.per_second)))


NO_USE = KeyUse()
