"""Options that a command does not know: those of YOLOv5's own scripts, and misspelt ones.

`convert` takes the scripts' options as they are; the other commands are helped here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

_LEAST_SIDE = 32
_QUANTIZE = "convert the model first (tallylens convert MODEL --quantize {}), and give that file"
# The first one applies whose options the command has.
_REMEDIES = {
    "--weights": ("it is --model here", "the model needs no option here"),
    "--conf-thres": ("it is --confidence here",),
    "--iou-thres": ("it is --iou here",),
    "--img-size": ("it is --imgsz here",),
    "--source": ("the source needs no option here",),
    "--data": (
        "give --images, --labels and, for a model without class names, --names FILE",
        "names of classes are given with --names FILE",
    ),
    "--save-txt": ("--detections FILE.npz records what was detected",),
    "--view-img": ("it is --show here",),
    "--agnostic-nms": ("it is --any-class here, which counts all classes as one",),
    "--half": (_QUANTIZE.format("fp16"),),
    "--int8": (_QUANTIZE.format("int8 --calibration IMAGES"),),
    "--include": ("tallylens convert MODEL --to onnx,tflite,coreml writes other formats",),
    "--device": ("it is chosen here; tallylens doctor lists the engines",),
    "--batch-size": (
        "frames are processed one by one here, --workers at once",
        "images are processed one by one here",
    ),
    "--output": (
        "--report FILE writes the counts, --annotate FILE.mp4 the video",
        "it is --out here",
    ),
    "--target": ("it is --to here",),
    "--threshold": ("it is --confidence here",),
    "--fps": ("it is --max-fps here",),
    "--roi": ("it is --zone here",),
    "--mask": ("it is --ignore here",),
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


def remedy(message: str, options: Iterable[str] = ()) -> str:
    """Our words for what a parser does not know, to follow its message.

    Args:
        message: of the parser.
        options: that the parser knows.
    """
    choice = re.match(r"argument COMMAND: invalid choice: '([^']*)' \(choose from (.*)\)", message)
    if choice is not None:
        return _nearest(choice[1], re.findall(r"\w+", choice[2]))
    unknown = re.fullmatch(r"unrecognized arguments: (.*)", message, re.DOTALL)
    if unknown is None:
        return ""
    words = unknown[1].split()
    if all(re.fullmatch(r"[\d.,-]+", word) for word in words):
        return ". Write coordinates and sizes as one word, such as 0,0.6,1,0.6"
    if not any(word.startswith("-") for word in words):
        return ". Files are given one at a time, names with spaces in quotes"
    names = dict.fromkeys(word.partition("=")[0] for word in words if word.startswith("--"))
    return "".join(_advice(name, list(options)) for name in names)


def _advice(name: str, options: Sequence[str]) -> str:
    """A sentence about one unknown option."""
    for one in _REMEDIES.get(name, ()):
        if _is_possible(one, options):
            return f". {name}: {one}"
    return _nearest(name, options)


def _is_possible(advice: str, options: Sequence[str]) -> bool:
    """Whether the command has all options that it is advised to take."""
    of_this_command = advice.partition("tallylens convert")[0]
    return set(re.findall(r"--[a-z-]+", of_this_command)) <= set(options)


def _nearest(name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, known, 1, 0.7)
    return f". Did you mean {nearest[0]}?" if nearest else ""


def _is_side(text: str) -> bool:
    """Whether it can be one side of an input, and not the number of a camera."""
    return re.fullmatch(r"\d{2,5}", text) is not None and int(text) >= _LEAST_SIDE
