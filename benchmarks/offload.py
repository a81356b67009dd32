"""The cloud side under load: counts, sessions, throughput, fairness, broken networks, `auto`.

    python benchmarks/offload.py [--only counts,sessions,...] [--seconds 60] [--json FILE]

Needs the folder of real models and videos (TALLYLENS_DATA) and tallylens[convert,serve]. Client and
server share this machine's cores, as separate processes. It prints, and never fails on a time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from offloading.auto import auto
from offloading.counting import counts, faults
from offloading.cpu import cpu
from offloading.fuzz import fuzz
from offloading.idle import idle, silent
from offloading.service import fairness, sessions, throughput
from offloading.tenants import tenants, thin
from offloading.work import STREET, Row, Settings, Work
from rich.console import Console
from rich.table import Table

PARTS: dict[str, Callable[[Work], Iterator[Row]]] = {
    "counts": counts,
    "auto": auto,
    "throughput": throughput,
    "fairness": fairness,
    "sessions": sessions,
    "cpu": cpu,
    "tenants": tenants,
    "thin": thin,
    "idle": idle,
    "silent": silent,
    "fuzz": fuzz,
    "faults": faults,
}


def show(title: str, rows: list[Row]) -> None:
    """One table."""
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=160).print(table)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--seconds", type=float, default=60.0, help="of the part sessions")
    parser.add_argument("--deadline", type=float, default=0.5, help="seconds, of the part auto")
    parser.add_argument("--pace", type=float, default=1.0, help="of the video, of the part auto")
    parser.add_argument("--video", type=Path, default=STREET, help="of the part auto")
    parser.add_argument("--rate", type=float, default=1.0, help="of the part fairness")
    parser.add_argument("--seeds", type=int, default=20, help="of the part faults")
    parser.add_argument("--faults", default="", help="kill,cut-5,cut-30,cut-200")
    parser.add_argument("--messages", type=int, default=100_000, help="of the part fuzz")
    parser.add_argument("--work", type=Path, help="keep what is converted here")
    return parser.parse_args()


def main() -> None:
    """Measure the parts asked for."""
    options = parse()
    results: dict[str, list[Row]] = {}
    settings = Settings(
        options.seconds,
        options.seeds,
        options.faults,
        options.deadline,
        options.pace,
        options.rate,
        options.video,
        options.messages,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        work = Work(folder, settings)
        for name in options.only.split(","):
            results[name] = list(PARTS[name](work))
            show(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", results[name])
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
