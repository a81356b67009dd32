"""Tables and JSON files of benchmarks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def show(rows: Sequence[Mapping[str, Any]], file: Path | None = None) -> None:
    """Print rows of the same columns as a table; write them to `file` as JSON."""
    table = Table(*rows[0])
    for row in rows:
        table.add_row(
            *(f"{one:.2f}" if isinstance(one, float) else str(one) for one in row.values())
        )
    Console().print(table)
    if file is not None:
        file.write_text(json.dumps(rows, indent=2) + "\n")
