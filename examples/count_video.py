"""Count a video: who was seen, and who crossed the middle.

python examples/count_video.py tallylens-demo/street.mp4 demo
"""

from __future__ import annotations

import sys

from tallylens import Counter, Line


def main(video: str, model: str) -> None:
    """Print the totals of `video` as `model` sees it."""
    with Counter(model, lines=[Line(0.5, 0, 0.5, 1, "middle")]) as counter:
        report = counter.run(video)
    for name, number in report.unique.items():
        print(f"{number} {name} seen")
    for line in report.lines:
        print(f"{line.name}: {line.crossed_in} to the left, {line.crossed_out} to the right")
    for warning in report.warnings:
        print(f"note: {warning}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
