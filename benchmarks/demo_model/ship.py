"""From the trained demo.onnx to the files inside the package, by the ordinary `tallylens convert`.

    python benchmarks/demo_model/ship.py --work FOLDER

FOLDER is that of train.py. Writes tallylens-demo.onnx and tallylens-demo-int8.tflite
into sdk/built_in/, and beside this file the log and the curves of the training.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from data import save_labeled

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "sdk" / "built_in"
# None of these is a scene that was trained or validated on.
CALIBRATION = range(60_000, 60_064)
SIZE = "192x320"


def main() -> None:
    """Convert, copy, draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="the folder of train.py")
    work: Path = parser.parse_args().work
    source = work / "tallylens-demo.onnx"
    shutil.copyfile(work / "demo.onnx", source)
    stills = save_labeled(work / "calibration", CALIBRATION, 2)
    out = work / "converted"
    _convert(source, out, "--to", "onnx")
    _convert(
        source, out, "--to", "tflite", "--quantize", "int8", "--calibration", str(stills.images)
    )
    for name in ("tallylens-demo.onnx", "tallylens-demo-int8.tflite"):
        shutil.copyfile(out / name, PACKAGE / name)
        print(f"{name}  {(PACKAGE / name).stat().st_size} bytes")
    shutil.copyfile(work / "log.csv", HERE / "log.csv")
    draw_curves(HERE / "log.csv", HERE / "curves.png")


def _convert(source: Path, out: Path, *options: str) -> None:
    command = ["convert", str(source), "-o", str(out), "--imgsz", SIZE, *options]
    subprocess.run([sys.executable, "-m", "tallylens", *command], check=True)


def draw_curves(log: Path, picture: Path) -> None:
    """Loss and mAP@0.5 over the steps."""
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    width, height, edge = 720, 360, 40
    image = np.full((height, width, 3), 255, np.uint8)
    last = max(float(row["step"]) for row in rows)
    for name, top, color in (("total", 0.25, (180, 90, 30)), ("map50", 1.0, (40, 120, 40))):
        points = [(float(row["step"]) / last, float(row[name]) / top) for row in rows if row[name]]
        pixels = [
            (edge + x * (width - 2 * edge), height - edge - min(y, 1) * (height - 2 * edge))
            for x, y in points
        ]
        cv2.polylines(image, [np.array(pixels, np.int32)], False, color, 2, cv2.LINE_AA)
        label = f"{name}, 0 to {top:g}, last {points[-1][1] * top:.3f}"
        y = 20 if name == "total" else 36
        cv2.putText(image, label, (edge, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, 1, cv2.LINE_AA)
    cv2.rectangle(image, (edge, edge), (width - edge, height - edge), (120, 120, 120), 1)
    steps = f"{last:.0f} steps"
    cv2.putText(image, steps, (width - 130, height - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (60,) * 3)
    cv2.imwrite(str(picture), image)


if __name__ == "__main__":
    main()
