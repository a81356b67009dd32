"""One error that lists every node a target cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from ...edge_runtime.errors import UnsupportedModelError
from ..graph import DetectorGraph

_LISTED = 10


def refuse_unsupported(
    graph: DetectorGraph,
    target: str,
    problems: Mapping[str, Callable[[ir.Node], str | None]],
) -> None:
    """Ask the table about every node.

    Raises:
        UnsupportedModelError: names each node that is not in the table or has a problem.
    """
    found = [
        f"{node.op_type} {node.name or '(unnamed)'}: {problem}"
        for node in graph.model.graph
        if (problem := _problem(node, problems))
    ]
    if found:
        more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise UnsupportedModelError(
            graph.metadata.source_name or "model",
            f"{target} cannot hold {len(found)} of its nodes: {'; '.join(found[:_LISTED])}{more}",
            "Convert to another target (--to onnx), or export the checkpoint from an unmodified "
            "YOLOv5",
        )


def _problem(node: ir.Node, problems: Mapping[str, Callable[[ir.Node], str | None]]) -> str | None:
    if node.domain not in ("", "ai.onnx") or node.op_type not in problems:
        return f"not one of {', '.join(problems)}"
    return problems[node.op_type](node)
