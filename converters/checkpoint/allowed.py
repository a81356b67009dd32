"""Allow-list of the names in a checkpoint's pickle, and the errors for all others.

Allowing a name means that it may appear as a word. Nothing is imported for it.
"""

from __future__ import annotations

from ...edge_runtime.errors import ModelError, UnsafeModelError, UnsupportedModelError
from ...edge_runtime.text import printable
from ..operators import ACTIVATIONS
from .archive import DO_NOT_TRUST, FROM_TRAINING
from .values import ITEM_TYPES

MODULES = frozenset(
    {
        *(f"models.yolo.{name}" for name in ("Model", "DetectionModel", "Detect")),
        *(
            f"models.common.{name}"
            for name in (
                "Bottleneck",
                "BottleneckCSP",
                "C3",
                "Concat",
                "Conv",
                "DWConv",
                "Focus",
                "SPP",
                "SPPF",
            )
        ),
        *(name for operator in ACTIVATIONS.values() for name in operator.modules),
        "utils.activations.SiLU",
        "torch.nn.modules.activation.SiLU",
        "torch.nn.modules.batchnorm.BatchNorm2d",
        "torch.nn.modules.container.ModuleList",
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.conv.Conv2d",
        "torch.nn.modules.linear.Identity",
        "torch.nn.modules.pooling.MaxPool2d",
        "torch.nn.modules.upsampling.Upsample",
    }
)

# Names that training leaves beside the model. They are kept as inert records and never read.
BYSTANDERS = frozenset(
    {
        "argparse.Namespace",
        "datetime.datetime",
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
        "numpy.ndarray",
        "pathlib.Path",
        "pathlib.PosixPath",
        "pathlib.PurePosixPath",
        "pathlib.PureWindowsPath",
        "pathlib.WindowsPath",
        "torch.bfloat16",
        "torch.device",
        "torch.float16",
        "torch.float32",
        "torch.float64",
        "torch.int64",
        "torch.nn.modules.loss.BCEWithLogitsLoss",
    }
)

REBUILDERS = frozenset(
    {
        "__builtin__.set",
        "_codecs.encode",
        "builtins.set",
        "collections.OrderedDict",
        "torch.Size",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor_v2",
    }
)

ALLOWED = MODULES | BYSTANDERS | REBUILDERS | ITEM_TYPES.keys()

_OTHER_KINDS = {
    "models.yolo.Segment": "a segmentation model",
    "models.yolo.SegmentationModel": "a segmentation model",
    "models.yolo.ClassificationModel": "a classification model",
    "models.common.Classify": "a classification model",
    "models.common.Proto": "a segmentation model",
    "models.common.AutoShape": "a model wrapped for PyTorch Hub",
    "models.common.DetectMultiBackend": "a model wrapped for PyTorch Hub",
}


def refusal(path: str, dotted: str) -> ModelError:
    """The error for a name that is not in ALLOWED."""
    shown = printable(dotted, 80)
    if dotted in _OTHER_KINDS:
        return UnsupportedModelError(
            path,
            f"this is {_OTHER_KINDS[dotted]}, and tallylens counts with detection models",
            "Give a YOLOv5 detection checkpoint, such as yolov5n.pt",
        )
    if dotted.startswith("ultralytics."):
        return UnsupportedModelError(
            path,
            "saved by the ultralytics package (YOLOv8 or later), and tallylens reads YOLOv5",
            "Give a YOLOv5 detection checkpoint, such as yolov5n.pt",
        )
    if dotted.startswith(("models.", "torch.nn.modules.", "utils.activations.")):
        return UnsupportedModelError(
            path,
            f"the model uses {shown}, which tallylens does not know",
            "Give a YOLOv5 v3 to v7 detection checkpoint of a standard architecture",
        )
    if dotted.startswith("torch."):
        return UnsupportedModelError(
            path, f"the file holds {shown}, which YOLOv5 checkpoints do not", FROM_TRAINING
        )
    return UnsafeModelError(
        path, f"the file asks for {shown}, which no model needs; nothing was run", DO_NOT_TRUST
    )
