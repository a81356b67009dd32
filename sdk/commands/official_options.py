"""Options of YOLOv5's own scripts (detect.py, val.py, export.py), for those who know them.

`convert` takes them as they are; the other commands are helped here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LEAST_SIDE = 32
_QUANTIZE = "convert the model first (tallylens convert MODEL --quantize {}), and give that file"
_REMEDIES = {
    "--weights": "it is --model here (eval, verify and inspect take the model itself)",
    "--conf-thres": "it is --confidence here",
    "--iou-thres": "it is --iou here",
    "--img-size": "it is --imgsz here",
    "--source": "the source needs no option here",
    "--data": "give --images, --labels and, for a model without class names, --names FILE",
    "--save-txt": "--detections FILE.npz records what was detected",
    "--view-img": "it is --show here",
    "--agnostic-nms": "it is --any-class here, which counts all classes as one",
    "--half": _QUANTIZE.format("fp16"),
    "--int8": _QUANTIZE.format("int8 --calibration IMAGES"),
    "--include": "tallylens convert MODEL --to onnx,tflite,coreml writes other formats",
    "--device": "it is chosen here; tallylens doctor lists the engines",
    "--batch-size": "frames are processed one by one here, --workers at once",
}


def joined_sizes(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--imgsz 384 640` as `--imgsz 384x640`; those of `convert` unchanged."""
    if list(arguments[:1]) == ["convert"]:
        return list(arguments)
    joined: list[str] = []
    for argument in arguments:
        if joined[-2:-1] == ["--imgsz"] and _is_side(joined[-1]) and _is_side(argument):
            joined[-1] += f"x{argument}"
        else:
            joined.append(argument)
    return joined


def remedy(message: str) -> str:
    """Our words for options that a parser does not know, to follow its message."""
    unknown = re.fullmatch(r"unrecognized arguments: (.*)", message, re.DOTALL)
    names = [] if unknown is None else [word.partition("=")[0] for word in unknown[1].split()]
    known = [f"{name}: {_REMEDIES[name]}" for name in dict.fromkeys(names) if name in _REMEDIES]
    return "".join(f". {sentence}" for sentence in known)


def _is_side(text: str) -> bool:
    """Whether it can be one side of an input, and not the number of a camera."""
    return re.fullmatch(r"\d{2,5}", text) is not None and int(text) >= _LEAST_SIDE
