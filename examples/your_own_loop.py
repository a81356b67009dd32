"""Count inside a loop of your own, and use the tracks: here, to hide every person.

python examples/your_own_loop.py tallylens-demo/street.mp4 demo hidden.mp4
"""

from __future__ import annotations

import sys

import cv2
import numpy as np

from tallylens import Counter

PERSON = "person"


def main(source: str, model: str, output: str) -> None:
    """Write `source` to `output` with blurred people, and print how many there were."""
    capture = cv2.VideoCapture(source)
    fps = capture.get(cv2.CAP_PROP_FPS)
    size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    writer = cv2.VideoWriter(output, cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    with Counter(model, classes=[PERSON]) as counter:
        index = 0
        while (read := capture.read())[0]:
            frame = np.asarray(read[1], np.uint8)
            # The time of capture, not of processing: counts must not depend on this machine.
            tracks = counter.update(frame, index / fps)
            for x1, y1, x2, y2 in tracks.xyxy.round().astype(int).clip(0).tolist():
                part = frame[y1:y2, x1:x2]
                part[:] = cv2.blur(part, (15, 15)) if part.size else part
            writer.write(frame)
            index += 1
        print(f"{counter.totals.unique().get(PERSON, 0)} people in {index} frames")
    writer.release()


if __name__ == "__main__":
    main(*sys.argv[1:])
