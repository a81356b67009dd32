"""Count the objects of a video, and those that cross a line down its middle.

python examples/count_video.py tallylens-demo/street.mp4 demo
"""

from __future__ import annotations

import sys

from tallylens import Counter, Line


def main(video: str, model: str) -> None:
    """Print the totals of `video` with `model`."""
    middle = Line(0.5, 0, 0.5, 1, "middle", in_name="to the left", out_name="to the right")
    with Counter(model, lines=[middle]) as counter:
        report = counter.run(video)
    for name, number in report.unique.items():
        print(f"{number} {name} seen")
    for line in report.lines:
        for direction, counts in line.counts().items():
            print(f"{line.name}, {direction}: {counts}")
    for warning in report.warnings:
        print(f"note: {warning}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
