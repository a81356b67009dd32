"""The exception tree: inheritance, exit statuses, data and the exact words."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tallylens.edge_runtime import errors

TREE = """
TallyLensError 1
    UsageError 2
    InputError 3
        ModelError 3
            UnsafeModelError 3
            UnsupportedModelError 3
        RejectedError 3
        SourceError 3
        StateError 3
        TimestampError 3
        ProtocolError 3
    UnavailableError 4
        MissingExtraError 4
        NetworkError 4
        CloudError 4
    CoreError 1
"""

CASES = [
    (errors.TallyLensError("it broke", "Mend it"), "it broke. Mend it."),
    (errors.UsageError("workers is 0", "Give 1 or more"), "workers is 0. Give 1 or more."),
    (
        errors.InputError("a.txt", "the file is empty", "Choose another"),
        "a.txt: the file is empty. Choose another.",
    ),
    (
        errors.ModelError("a.onnx", "it is cut short", "Copy it again"),
        "a.onnx: it is cut short. Copy it again.",
    ),
    (
        errors.UnsafeModelError("a.pt", "it calls os.system", "Do not trust it"),
        "a.pt: it calls os.system. Do not trust it.",
    ),
    (
        errors.UnsupportedModelError("a.pt", "it is YOLOv8", "Take a YOLOv5 checkpoint"),
        "a.pt: it is YOLOv8. Take a YOLOv5 checkpoint.",
    ),
    (
        errors.RejectedError("a.tflite", 0.876, 0.9),
        "a.tflite: detection agreement with its source is 0.876, below the minimum of 0.9; the "
        "file is kept under the name .rejected. Use images from the camera's view, prune less or "
        "recover longer, or accept it with --min-agreement 0.87.",
    ),
    (
        errors.SourceError("rtsp://camera", "the stream ended", "Check the camera"),
        "rtsp://camera: the stream ended. Check the camera.",
    ),
    (
        errors.StateError("it is cut short", "a.state"),
        "a.state: the count cannot be resumed: it is cut short. Start over with a new state file, "
        "or resume with the same source, options and regions.",
    ),
    (
        errors.TimestampError(5, 7),
        "frame: timestamp 5 ns is not later than the previous frame's 7 ns. "
        "Pass frames in capture order, each with its own timestamp.",
    ),
    (errors.UnavailableError("no camera", "Plug one in"), "no camera. Plug one in."),
    (
        errors.MissingExtraError("tensorflow", "convert", "writing TFLite"),
        "writing TFLite needs the package tensorflow, which is not installed. "
        "Install it with: pip install 'tallylens[convert]'.",
    ),
    (
        errors.NetworkError("https://host/x", "no route", "Connect, or copy the file"),
        "https://host/x: no route. Connect, or copy the file.",
    ),
    (
        errors.ProtocolError("a second hello"),
        "message: a second hello. Follow docs/protocol.md, or update the older peer.",
    ),
    (
        errors.CloudError("wss://host", "it does not know this key", "Check it"),
        "wss://host: it does not know this key. Check it.",
    ),
    (
        errors.CoreError(5, "unknown fault"),
        "the counting core failed (unknown fault, status 5). "
        "Please report it with the command that caused it.",
    ),
]


def branch(kind: type[errors.TallyLensError], depth: int = 0) -> str:
    line = f"{'    ' * depth}{kind.__name__} {kind.exit_status}\n"
    below = [
        branch(child, depth + 1)
        for child in kind.__subclasses__()
        if child.__module__ == errors.__name__
    ]
    return line + "".join(below)


def test_the_tree_and_its_exit_statuses() -> None:
    assert branch(errors.TallyLensError) == TREE.lstrip()


def test_the_docstring_shows_the_same_tree() -> None:
    words = (errors.__doc__ or "").replace("│", " ").split()
    assert [w for w in words if w.endswith("Error")] == [
        w for w in TREE.split() if w.endswith("Error")
    ]


@pytest.mark.parametrize(("error", "words"), CASES, ids=lambda x: type(x).__name__)
def test_the_exact_words(error: errors.TallyLensError, words: str) -> None:
    assert str(error) == words
    assert words == f"{error.problem}. {error.remedy}."


def test_every_class_is_spelled_out_above() -> None:
    defined = {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.TallyLensError)
    }
    assert {type(error) for error, _ in CASES} == defined


def test_errors_carry_their_data() -> None:
    assert errors.InputError(Path("a") / "b", "x", "y").path == str(Path("a") / "b")
    timestamp = errors.TimestampError(5, 7)
    assert (timestamp.timestamp_ns, timestamp.previous_ns) == (5, 7)
    extra = errors.MissingExtraError("onnx", "convert", "x")
    assert (extra.package, extra.extra) == ("onnx", "convert")
    assert errors.NetworkError("https://host", "x", "y").url == "https://host"
    assert errors.CoreError(3, "x").status == 3
