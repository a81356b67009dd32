"""All kinds of modules that become graph nodes, by class."""

from __future__ import annotations

from collections.abc import Mapping

from .assembler import Handler
from .fork_blocks import FORK_HANDLERS
from .gate_blocks import GATE_HANDLERS
from .gated_blocks import GATED_HANDLERS
from .split_blocks import SPLIT_HANDLERS
from .standard_blocks import STANDARD_HANDLERS

HANDLERS: Mapping[str, Handler] = {
    **STANDARD_HANDLERS,
    **FORK_HANDLERS,
    **GATE_HANDLERS,
    **GATED_HANDLERS,
    **SPLIT_HANDLERS,
}
