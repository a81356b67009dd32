"""Command lines of YOLOv5's own tools, each answered with one of ours."""

from __future__ import annotations

import shlex

import pytest

from tallylens import cli
from tallylens.commands import official_commands as official

LINES = {
    "convert --weights yolov5n.pt --include onnx coreml --img-size 640 --half --dynamic": (
        "convert yolov5n.pt --include onnx coreml --imgsz 640 --half"
    ),
    "convert yolov5n.pt --img-size 320 640": "convert yolov5n.pt --imgsz 320x640",
    "convert yolov5n.pt --opset=12 --simplify --device 0 --batch-size 1": "convert yolov5n.pt",
    "convert --data data/coco128.yaml --weights yolov5n.pt --int8": "convert yolov5n.pt --int8",
    "convert yolov5n.pt --nms --conf-thres 0.25 --iou-thres 0.45 --topk-all 100 --agnostic-nms": (
        "convert yolov5n.pt --nms"
    ),
    "export.py --weights yolov5n.pt --include tflite": "convert yolov5n.pt --include tflite",
    "export model=yolo11n.pt format=onnx imgsz=320,640 half=True simplify=True": (
        "convert yolo11n.pt --to onnx --imgsz 320x640 --half"
    ),
    "export model=a.pt format=mlpackage nms=True int8=False": "convert a.pt --to coreml --nms",
    "detect export model=yolo11n.pt imgsz=(320, 640)": "convert yolo11n.pt --imgsz 320x640",
    "val --weights yolov5n.pt --data coco.yaml --img-size 640 --half": (
        "eval yolov5n.pt --imgsz 640 --images val/images --labels val/labels"
    ),
    "val yolov5n.pt --save-json --images a --labels b": (
        "eval yolov5n.pt --json --images a --labels b"
    ),
    "detect.py --source 0": "count 0",
    "detect predict model=yolov5n.pt source=x.mp4 conf=0.3 save=True classes=[0,2]": (
        "count x.mp4 --model yolov5n.pt --conf 0.3 --annotate counted.mp4 --classes 0,2"
    ),
    "detect --weights a.pt --source x.mp4 --conf-thres 0.3 --view-img --nosave --vid-stride 2": (
        "count x.mp4 --model a.pt --confidence 0.3 --show"
    ),
    "predict x.mp4 --save-txt --project runs --name first --line-thickness 2": (
        "count x.mp4 --report counts.csv"
    ),
    "count x.mp4 --classes 0 2 --save-crop": "count x.mp4 --classes 0,2 --crops crops",
    "track model=a.pt source=x.mp4 tracker=bytetrack.yaml persist=True show=True": (
        "count x.mp4 --model a.pt --show"
    ),
}


@pytest.mark.parametrize("line", LINES)
def test_lines_of_other_tools_are_answered_with_ours(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # Parentheses are quoted in a shell, so that they are one argument.
    arguments = shlex.split(line.replace("(320, 640)", "'(320, 640)'"))
    assert cli.main(arguments) == 2
    out, error = capsys.readouterr()
    assert not out
    assert error.endswith(f". Use: tallylens {LINES[line]}\n")
    cli._parser().parse_args(LINES[line].split())  # ends the test where it is not understood


@pytest.mark.parametrize(
    ("line", "remark"),
    [
        ("convert a.pt --data d.yaml", "int8 takes the images themselves: --calibration FOLDER"),
        ("convert a.pt --dynamic", "a .tflite takes other sizes as it is"),
        ("convert a.pt --opset 12", "ONNX files are of opset 17"),
        ("convert a.pt --conf 0.1", "thresholds belong to `tallylens count`"),
        ("val a.pt --data d.yaml", "give the folders themselves: --images and --labels"),
        ("count x.mp4 --classes 0 2", "classes are given by name"),
        ("predict x.mp4 --vid-stride 2", "--sample auto skips frames that tracking does not need"),
    ],
)
def test_what_is_left_out_is_explained(line: str, remark: str) -> None:
    assert remark in (official.answer(line.split()) or "")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "convert yolov5n.pt --imgsz 320 640 --half --include onnx coreml",
        "convert yolov5n.pt --int8 --nms --img 320",
        "count x.mp4 --conf 0.3 --classes car,bus",
        "count rtsp://camera/stream?source=1&model=2 --line 0,0,1,1,in=north",
        "inspect --weights yolov5n.pt",
        "count x.mp4 --half --conf-thres=0.4",
        "eval a.pt --data coco.yaml",
    ],
)
def test_our_own_lines_are_left_alone(line: str) -> None:
    assert official.answer(line.split()) is None


def test_no_abbreviation_of_our_options_is_taken_for_theirs() -> None:
    actions = next(action for action in cli._parser()._actions if action.dest == "command")
    assert isinstance(actions.choices, dict)
    for command, table in official.TABLES.items():
        ours = actions.choices[command]._option_string_actions
        for name in table:
            assert name not in ours
            if (command, name) == ("convert", "--weights") or name == "--name":
                # Short for --weights-only, which nobody means before a file, and for --names, which
                # takes the file that the answer asks for.
                continue
            matching = {id(action) for text, action in ours.items() if text.startswith(name)}
            assert len(matching) != 1, f"{command} {name}"
