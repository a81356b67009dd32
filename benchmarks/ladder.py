"""Agreement with the bigger model by encoded size, for each step of the client's ladder.

    python benchmarks/ladder.py [--small MODEL.tflite] [--big MODEL.onnx] [--json FILE]

Agreement (F1) with what the big model finds in the calibration images as they are: of the small
model, and of the big one on images encoded as each step encodes them. `gain per kB` is what `auto`
weighs. Needs TALLYLENS_DATA and tallylens[convert].
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from offloading.auto import agreement
from offloading.work import CALIBRATION, Row, add_models, two_models

from tallylens.cloud_fallback.client.encoder import LADDER, LAST, FrameEncoder
from tallylens.cloud_fallback.server.image_decoding import decode_image
from tallylens.cloud_fallback.wire.client_session import EncodedImage
from tallylens.cloud_fallback.wire.frames import FrameHeader
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.sources.images import read_image
from tallylens.edge_runtime.types import Detections, Image

MOST_BYTES = MOST_PIXELS = 1 << 24


def f1(pairs: list[tuple[Detections, Detections]]) -> float:
    """Of all images together."""
    agreed, seen, true = np.sum([agreement(*pair) for pair in pairs], axis=0)
    return float(2 * agreed / max(1, seen + true))


def unpacked(picture: EncodedImage) -> Image:
    """The image that the server decodes."""
    header = FrameHeader(1, 0, 1, picture.width, picture.height, picture.codec)
    image = decode_image(header, picture.data, MOST_PIXELS)
    assert image is not None, "the encoder encodes images"
    return image


def rows(small: Path, big: Path, images: list[Image]) -> Iterator[Row]:
    """The device's own model, then each step."""
    with open_engine(small) as one, open_engine(big) as other:
        here, there = Detector(one), Detector(other)
        truth = [there.detect(image) for image in images]
        alone = f1(list(zip(map(here.detect, images), truth, strict=True)))
        yield {"step": "the small model", "kB": 0.0, "F1": alone, "gain per kB": 0.0}
        size = other.metadata.input_size
        for number, step in enumerate(LADDER):
            found, sent = [], 0
            for image in images:
                encoder = FrameEncoder(size, MOST_BYTES, best=number, worst=LAST, start=number)
                picture = encoder.encode(image)
                sent += len(picture.data)
                found.append(_scaled(there.detect(unpacked(picture)), picture, image))
            kilobytes = sent / len(images) / 1000
            reached = f1(list(zip(found, truth, strict=True)))
            name = f"{step.scale:g} at quality {step.quality}" if step.quality else "exact"
            gain = (reached - alone) / kilobytes
            yield {"step": name, "kB": kilobytes, "F1": reached, "gain per kB": gain}


def _scaled(found: Detections, picture: EncodedImage, image: Image) -> Detections:
    sides = [image.shape[1] / picture.width, image.shape[0] / picture.height] * 2
    scale = np.array(sides, np.float32)
    return Detections(found.xyxy * scale, found.confidence, found.class_id)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--json", type=Path, metavar="FILE")
    add_models(parser)
    options = parser.parse_args()
    with two_models(options) as (small, big):
        paths = sorted(CALIBRATION.iterdir())[: options.images]
        found = []
        for row in rows(small, big, [read_image(path) for path in paths]):
            print("{step:>20}  {kB:7.1f} kB  F1 {F1:.3f}  {gain per kB:.4f}".format(**row))
            found.append(row)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
