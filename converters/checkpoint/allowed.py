"""Judges the names in a checkpoint's pickle: part of a model, inert, or something that acts.

A name is only a word here, and nothing is ever imported or run for it. A class is known by its last
part: `yolov5.models.common.C3` and `src.detector.models.common.C3` are `C3`. Names that act in
Python (`os.system`, `eval`) make the file one not to be trusted. Any other name may be a class of
some project, and is kept as an inert record.
"""

from __future__ import annotations

import re
import sys

from ...edge_runtime.errors import ModelError, UnsafeModelError, UnsupportedModelError
from ...edge_runtime.text import printable
from ..operators import ACTIVATIONS
from .archive import DO_NOT_TRUST, FROM_TRAINING
from .values import ITEM_TYPES

DETECTORS = frozenset({"Model", "DetectionModel", "SegmentationModel"})
"""Classes of whole models, in which the layers are."""

MODULES = frozenset(
    {
        *DETECTORS,
        *("ADD", "BatchNorm2d", "Bottleneck", "BottleneckCSP", "C3", "C3Ghost", "C3SPP", "C3x"),
        *("CBH", "Concat", "Contract", "Conv", "Conv2d", "CrossConv", "DWConv", "DWConvblock"),
        *("Dense", "Detect", "Dropout", "Focus", "GhostBottleneck", "GhostConv", "Identity"),
        *("LC_Block", "MaxPool2d", "ModuleList", "RepVGGBlock", "SPP", "SPPF", "Segment"),
        *("Sequential", "ShuffleV2Block", "Shuffle_Block", "SiLU", "StemBlock", "Upsample"),
        *("ZeroPad2d", "conv_bn_relu_maxpool"),
        *("AdaptiveAvgPool2d", "C3TR", "ConvTranspose2d", "DWConvTranspose2d", "Expand"),
        *("LC_SEModule", "Linear", "MultiheadAttention", "NonDynamicallyQuantizableLinear"),
        *("TransformerBlock", "TransformerLayer"),
        *("BasicConv", "BottleneckSE", "C3CBAM", "C3SE", "C3_CBAM", "C3_SE", "CBAM"),
        *("CBAMBlock", "CBAMBottleneck", "CBAMC3", "CBAMLayer", "ChannelAttention"),
        *("ChannelAttentionModule", "ChannelGate", "ECA", "ECAAttention", "ECALayer"),
        *("Hardsigmoid", "SE", "SEAttention", "SEBlock", "SEBottleneck", "SEC3", "SELayer"),
        *("SEModule", "SE_Block", "SeBlock", "SpatialAttention", "SpatialAttentionModule"),
        *("SpatialGate", "SqueezeExcitation", "SqueezeExcite", "eca_layer", "h_sigmoid"),
        *("AdaptiveMaxPool2d", "ChannelPool", "Conv1d", "Flatten"),  # parts of gates
        *("Attention", "C2PSA", "C2f", "C3k", "C3k2", "PSABlock"),
        *("FrozenBatchNorm2d", "MemoryEfficientSwish", "MixConv2d", "ReLU6", "Swish"),
        "SyncBatchNorm",
        *(
            name.rpartition(".")[2]
            for operator in ACTIVATIONS.values()
            for name in operator.modules
        ),
    }
)
"""The classes that have a handler, or are read by `detector`."""

REBUILDERS = frozenset(
    {
        "__builtin__.getattr",
        "__builtin__.set",
        "_codecs.encode",
        "builtins.getattr",
        "builtins.set",
        "collections.OrderedDict",
        "torch.Size",
        "torch._tensor._rebuild_from_type_v2",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._utils._rebuild_tensor_v2",
    }
)
"""Functions with a counterpart in `rebuild`."""

# Data that training leaves beside the model, by kind: new releases move these classes.
_INERT = re.compile(
    r"""
    argparse\.Namespace | types\.SimpleNamespace
  | (__builtin__|builtins)\.(bool|bytearray|bytes|complex|dict|float|frozenset|int|list|long)
  | (__builtin__|builtins)\.(object|range|slice|str|tuple|unicode|xrange)
  | collections\.(defaultdict|deque|Counter)
  | datetime\.(date|datetime|time|timedelta|timezone)
  | decimal\.Decimal | fractions\.Fraction | uuid\.UUID | time\.struct_time
  | logging\.(getLogger|Logger|RootLogger) | random\.Random | re\._compile
  | pathlib(\._\w+)?\.(Pure)?(Posix|Windows)?Path
  | numpy(\._?core)?(\.multiarray)?\.(_reconstruct|scalar|dtype|ndarray)
  | numpy(\._?core)?(\.numeric)?\._frombuffer
  | numpy\.random\.(_pickle\.__\w+_ctor|\w+\.(__pyx_unpickle_)?[A-Z]\w*)
  | numpy\.(dtypes\.\w+|bool_?|u?int\d+|float\d+|complex\d+|str_|bytes_)
  | torch\.(device|dtype|u?int\d+|b?float\d+|bool|half|double|float|long|int|strided)
  | torch(\.\w+)*\.[A-Z]\w*
    """,
    re.VERBOSE,
)
_PART = re.compile(r"[^\W\d]\w*", re.ASCII)
_STANDARD = frozenset(sys.stdlib_module_names) | {
    *("__builtin__", "commands", "copy_reg", "exceptions", "nt", "posix"),
}
# Packages whose functions act; their classes of data are in the list above.
_ACTING = frozenset({"numpy", "torch", "pip", "setuptools", "pkg_resources", "_distutils_hack"})


def is_module(dotted: str) -> bool:
    """Whether it is a class of a detector that tallylens knows."""
    return kind_of(dotted) in MODULES and not is_acting(dotted)


def is_inert(dotted: str) -> bool:
    """Whether objects of it are data that nobody reads."""
    return _INERT.fullmatch(dotted) is not None


def is_acting(dotted: str) -> bool:
    """Whether mentioning it shows that the file wants to do something."""
    if dotted in REBUILDERS or dotted in ITEM_TYPES or is_inert(dotted):
        return False
    parts = dotted.split(".")
    return (
        len(parts) < 2
        or not all(map(_PART.fullmatch, parts))
        or any(part.startswith("__") and part != "__main__" for part in parts)
        or (parts[0] in _STANDARD and parts[0] != "__main__")
        or parts[0] in _ACTING
    )


def is_class(dotted: str) -> bool:
    """Whether it looks like a class, by the custom of a capital letter."""
    return kind_of(dotted)[:1].isupper()


def kind_of(dotted: str) -> str:
    """The class without its package. Pruning tools add a word to classes that stay the same."""
    kind = dotted.rpartition(".")[2]
    shorter = kind.removesuffix("Pruned")
    return shorter if shorter in MODULES else kind


def refusal(path: str, dotted: str) -> ModelError:
    """The error for a name that acts."""
    shown = printable(dotted, 80)
    if dotted.startswith("torch.") and all(map(_PART.fullmatch, dotted.split("."))):
        return UnsupportedModelError(
            path, f"the file holds {shown}, which YOLOv5 checkpoints do not", FROM_TRAINING
        )
    return UnsafeModelError(
        path, f"the file asks for {shown}, which no model needs; nothing was run", DO_NOT_TRUST
    )
