"""The Swift client against a real server, through a link that cuts, delays, duplicates, reorders.

    python benchmarks/ios_offload.py [--seeds 0,1,2,3] [--kotlin] [--json FILE]

The server has TLS and the demo's model. Runs `cloud` let it detect every frame, runs `offload` are
of a counter with the same model, at a camera's pace. Each row says whether the totals are those of
a detector in this process; `--kotlin` does the same with the Android client on the same seeds. It
prints, and never fails on a time. Builds what it needs with `mobile_bindings/ios/check`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parent.parent
BINDINGS = REPOSITORY / "mobile_bindings"
sys.path[:0] = [str(BINDINGS / "ios"), str(BINDINGS / "android"), str(BINDINGS)]


def swift_rows(seeds: str) -> list[dict[str, Any]]:
    """The runs of the Swift client."""
    cloud: Any = importlib.import_module("swift_checks.cloud")
    tools: Any = importlib.import_module("swift_checks.tools")
    tools.package("build", "-c", "release", "--product", "TallyLensConformance")
    program = tools.BUILD / "package" / "release" / "TallyLensConformance"
    wanted = [f"{kind}:{seed}" for kind in ("cloud", "offload") for seed in seeds.split(",")]
    found = cloud.runs(program, wanted)["runs"]
    return [{"client": "Swift", **row} for row in found]


def kotlin_rows() -> list[dict[str, Any]]:
    """The runs of the Android client, over java.net.http and OkHttp: what its check says."""
    outcome: Any = importlib.import_module("checks.native_steps").cloud()
    notes = [{"client": "Kotlin", "run": note, "problem": ""} for note in outcome.notes]
    total = f"{outcome.passed} of {outcome.passed + outcome.failed} runs equal"
    return [*notes, {"client": "Kotlin", "run": "all", "problem": total}]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", default="0,1,2,3", help="0 is a link without faults")
    parser.add_argument("--kotlin", action="store_true", help="the Android client too")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = swift_rows(options.seeds) + (kotlin_rows() if options.kotlin else [])
    table = Table(title="client through a link with faults", title_justify="left")
    columns = ("client", "run", "totals", "frames", "connections", "seconds")
    for column in columns:
        table.add_column(column)
    for row in rows:
        row["totals"] = row.pop("problem") or "equal"
        table.add_row(*(str(row.get(column, "")) for column in columns))
    Console(width=140).print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
