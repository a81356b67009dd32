"""Print one JSON line for each crossing, as it happens: for a queue, a database or a webhook.

python examples/events.py tallylens-demo/street.mp4 demo
"""

from __future__ import annotations

import json
import sys

from tallylens import Counter, Line


def main(source: str, model: str) -> None:
    """Print the crossings of a line down the middle of a file, camera or stream."""
    with Counter(model, lines=[Line(0.5, 0, 0.5, 1, "middle")]) as counter:
        for result in counter.watch(source):
            for event in result.events:
                if event.kind in ("crossed_in", "crossed_out"):
                    record = {
                        "seconds": round(event.timestamp_ns / 1e9, 3),
                        "kind": event.kind,
                        "class": event.class_name,
                        "line": event.region,
                        "object": event.track_id,
                    }
                    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
