"""Command lines of YOLOv5's export.py, val.py and detect.py and of `yolo`, answered with ours.

Lines of the `yolo` command, names of their scripts, and options of export.py are answered with the
whole command to run. Single options of the other scripts are left to the parser, whose message
`official_options` completes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

VERBS = {
    **dict.fromkeys(("export", "export.py"), "convert"),
    **dict.fromkeys(("val", "validate", "val.py"), "eval"),
    **dict.fromkeys(("detect", "predict", "track", "detect.py", "track.py"), "count"),
}
_TASKS = ("detect", "segment", "classify", "pose", "obb")
_FOLDERS = {"--images": "val/images", "--labels": "val/labels"}
_FORMATS = {"mlmodel": "coreml", "mlpackage": "coreml", "saved_model": "tflite"}
_PAIR = re.compile(r"([a-z][a-z_0-9]*)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Option:
    """An option of theirs: ours instead ("" for none, or the positional argument), and a remark."""

    ours: str = ""
    remark: str = ""
    takes_value: bool = True


_MODEL = Option("MODEL")
_DROPPED = Option()
_SWITCH = Option(takes_value=False)
_CPU = Option(remark="the hardware is chosen by itself")
_THRESHOLD = Option(remark="thresholds belong to `tallylens count`: --confidence and --iou")
_HALF = Option(remark="convert the model first, with --quantize fp16", takes_value=False)
_FOR_ALL: Mapping[str, Option] = {
    "--weights": _MODEL,
    "--device": _CPU,
    "--img-size": Option("--imgsz"),
    "--project": _DROPPED,
    "--name": Option(remark="names of classes are a file: --names FILE"),
    "--task": _DROPPED,
    **dict.fromkeys(("--verbose", "--exist-ok", "--augment", "--dnn", "--visualize"), _SWITCH),
}
_CONVERT: Mapping[str, Option] = {
    **_FOR_ALL,
    "--model": _MODEL,
    "--format": Option("--to"),
    "--data": Option(remark="int8 takes the images themselves: --calibration FOLDER"),
    "--fraction": _DROPPED,
    "--opset": Option(remark="ONNX files are of opset 17"),
    "--workspace": _DROPPED,
    "--batch": Option(remark="a model takes one image; --server makes an ONNX for batches"),
    "--batch-size": Option(remark="a model takes one image; --server makes an ONNX for batches"),
    "--dynamic": Option(
        remark="a .tflite takes other sizes as it is; --imgsz makes a model for one",
        takes_value=False,
    ),
    **dict.fromkeys(("--simplify", "--inplace", "--optimize", "--cache", "--keras"), _SWITCH),
    **dict.fromkeys(("--per-tensor", "--train"), _SWITCH),
    "--agnostic-nms": Option(remark=_THRESHOLD.remark, takes_value=False),
    **dict.fromkeys(("--conf", "--conf-thres", "--iou", "--iou-thres"), _THRESHOLD),
    **dict.fromkeys(("--topk-per-class", "--topk-all", "--max-det"), _THRESHOLD),
}
_EVAL: Mapping[str, Option] = {
    **_FOR_ALL,
    "--model": _MODEL,
    "--data": Option(remark="give the folders themselves: --images and --labels"),
    **dict.fromkeys(("--batch", "--batch-size", "--workers", "--max-det", "--split"), _DROPPED),
    **dict.fromkeys(("--conf", "--conf-thres", "--iou", "--iou-thres"), _DROPPED),
    "--half": _HALF,
    **dict.fromkeys(("--single-cls", "--save-hybrid", "--save-conf", "--plots"), _SWITCH),
    "--save-json": Option("--json", takes_value=False),
    "--save-txt": _SWITCH,
}
_COUNT: Mapping[str, Option] = {
    **_FOR_ALL,
    "--weights": Option("--model"),
    "--source": Option("MODEL"),
    "--conf-thres": Option("--confidence"),
    "--iou-thres": Option("--iou"),
    "--view-img": Option("--show", takes_value=False),
    "--save-csv": Option("--report counts.csv", takes_value=False),
    "--save-txt": Option("--report counts.csv", takes_value=False),
    "--save-crop": Option("--crops crops", takes_value=False),
    "--save": Option("--annotate counted.mp4", takes_value=False),
    "--vid-stride": Option(remark="--sample auto skips frames that tracking does not need"),
    "--data": _DROPPED,
    "--batch": _DROPPED,
    "--batch-size": _DROPPED,
    "--max-det": _DROPPED,
    "--line-thickness": _DROPPED,
    "--tracker": Option(remark="the tracker is built in"),
    **dict.fromkeys(("--nosave", "--save-conf", "--agnostic-nms", "--update"), _SWITCH),
    "--half": _HALF,
    **dict.fromkeys(("--hide-labels", "--hide-conf", "--persist", "--stream"), _SWITCH),
}
TABLES: Mapping[str, Mapping[str, Option]] = {"convert": _CONVERT, "eval": _EVAL, "count": _COUNT}


def answer(arguments: Sequence[str]) -> str | None:
    """The command to use instead of `arguments`; None where they are all ours."""
    if not arguments:
        return None
    command = VERBS.get(arguments[0], arguments[0])
    if arguments[0] in _TASKS and len(arguments) > 1 and arguments[1] in VERBS:
        command, arguments = VERBS[arguments[1]], arguments[1:]
    table = TABLES.get(command)
    if table is None:
        return None
    is_ours = command == arguments[0]
    theirs = _theirs(arguments[1:], table, with_options=command == "convert" or not is_ours)
    if not theirs and is_ours:
        return None
    ours, remarks = _translated(_as_options(arguments[1:], table), table)
    if command == "eval":
        ours += [word for name in _FOLDERS if name not in ours for word in (name, _FOLDERS[name])]
    line = shlex.join(["tallylens", command, *ours])
    shown = f" ({'; '.join(remarks)})" if remarks else ""
    named = ", ".join(dict.fromkeys(theirs or arguments[:1]))
    return f"{named}: written as for YOLOv5's own tools{shown}. Use: {line}"


def _theirs(words: Sequence[str], table: Mapping[str, Option], *, with_options: bool) -> list[str]:
    """The names that only their tools know, as they were typed."""
    found = []
    for index, word in enumerate(words):
        name = word.partition("=")[0]
        pair = _PAIR.fullmatch(word)
        if (with_options and name in table) or (pair is not None and pair[1] in _names(table)):
            found.append(name)
        elif word == "--classes" and len(_values([*words[index + 1 :]])) > 1:
            found.append(word)
    return found


def _names(table: Mapping[str, Option]) -> set[str]:
    """The words that `yolo` takes before an equals sign."""
    return {*(name.lstrip("-").replace("-", "_") for name in table), *_OURS}


def _as_options(words: Sequence[str], table: Mapping[str, Option]) -> list[str]:
    """`imgsz=640` of the `yolo` command as `--imgsz 640`; any other word as it is."""
    known = _names(table)
    found: list[str] = []
    for word in words:
        pair = _PAIR.fullmatch(word)
        if pair is None or pair[1] not in known:
            found.append(word)
            continue
        name, value = f"--{pair[1].replace('_', '-')}", pair[2].strip()
        takes_value = table[name].takes_value if name in table else pair[1] not in _SWITCHES
        if takes_value:
            found += [name, *re.sub(r"[\[\](),]+", " ", value).split()]
        elif value.lower() not in ("false", "0", "no"):
            found.append(name)
    return found


_SWITCHES = ("half", "int8", "nms", "show")
_OURS = ("classes", "conf", "imgsz", "iou", "model", *_SWITCHES)
_SEVERAL = ("--imgsz", "--include", "--classes")
_BY_NAME = "classes are given by name, and `tallylens inspect MODEL` lists them"


def _translated(words: Sequence[str], table: Mapping[str, Option]) -> tuple[list[str], list[str]]:
    """Our arguments, the positional one first, and the remarks on what was left out."""
    first: list[str] = []
    ours: list[str] = []
    remarks: dict[str, None] = {}
    waiting = list(words)
    while waiting:
        word, equals, value = waiting.pop(0).partition("=")
        option = table.get(word)
        if option is None:
            values = _values(waiting) if word in _SEVERAL and not equals else []
            if word == "--classes" and any(one.isdigit() for one in values):
                remarks[_BY_NAME] = None
            ours += [f"{word}{equals}{value}", *_shown(word, values)]
            continue
        if option.remark:
            remarks[option.remark] = None
        values = [value] if equals else _values(waiting) if option.takes_value else []
        if option.ours == "MODEL":
            first = values[:1]
        elif option.ours:
            ours += [*option.ours.split(), *_shown(option.ours, values)]
    return [*first, *ours], list(remarks)


def _values(waiting: list[str]) -> list[str]:
    """Take the words up to the next option."""
    found = []
    while waiting and not waiting[0].startswith("--"):
        found.append(waiting.pop(0))
    return found


def _shown(option: str, values: Sequence[str]) -> list[str]:
    """Several values as ours are written."""
    if option == "--to":
        return [",".join(_FORMATS.get(value, value) for value in values)]
    if option == "--imgsz" and len(values) == 2:
        return ["x".join(values)]
    if option == "--classes":
        return [",".join(values)]
    return list(values)
