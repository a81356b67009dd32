"""Uploaded videos while things break: kill -9, a database that is away, a disk that is full.

    python benchmarks/video_faults.py [--db sqlite|postgresql] [--executors 2] [--kills 30]
    python benchmarks/video_faults.py --fault database      # PostgreSQL is away for 30 s
    python benchmarks/video_faults.py --fault disk          # full before and within an upload

Ten jobs run while processes are killed at random moments: workers, servers, one within the last
PATCH of an upload. Then every report must be the undisturbed one, with one usage row each, and no
more chunks than there are distinct ones and kills. It prints what it found, and ends with status 1
if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from faults.client import Row
from faults.deaths import dead_for_good, kills
from faults.outages import TMPFS_MIB, database_away, disk_full
from faults.processes import Executors, Trouble
from faults.verdict import make_videos

from tests.support.postgres import Postgres
from tests.support.video_server import VideoServer

JOBS = 10


def run(options: argparse.Namespace, folder: Path, stack: ExitStack) -> list[Row]:
    """The faults that were asked for."""
    environment: dict[str, str] = {}
    postgres = None
    if options.db == "postgresql" or options.fault == "database":
        postgres = Postgres()
        stack.callback(postgres.close)
        postgres.start()
        environment["TALLYLENS_DATABASE"] = postgres.create("videos")
    videos = make_videos(folder, JOBS if options.fault != "disk" else 1)
    (folder / "server").mkdir()
    if options.fault == "disk":
        (folder / "server" / "videos" / "files").mkdir(parents=True)
        target = folder / "server" / "videos" / "files"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MIB}m", "tmpfs", str(target)]
        subprocess.run(mount, check=True)
        stack.callback(subprocess.run, ["umount", "-l", str(target)], check=False)
    workers = 0 if options.executors > 1 else 2
    server = VideoServer(folder / "server", "demo", workers=workers, environment=environment)
    stack.enter_context(server.start().running())
    if options.fault == "disk":
        return [disk_full(server, videos)]
    if options.fault == "database":
        assert postgres is not None
        return [database_away(server, videos, postgres)]
    trouble = Trouble(server, options.kills, options.seed)
    where = f"{options.db}, {options.executors} executors"
    if options.executors > 1:
        executors = Executors(server, options.executors)
        stack.callback(executors.close)
        server.more_processes = lambda: [one.pid for one in executors.processes]
        return [kills(server, videos, trouble, where), dead_for_good(server, videos, executors)]
    return [kills(server, videos, trouble, where)]


def main() -> int:
    """Break things and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--db", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--executors", type=int, default=1)
    parser.add_argument("--fault", choices=("kill", "database", "disk"), default="kill")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tallylens-faults-") as name, ExitStack() as stack:
        rows = run(options, Path(name), stack)
    for row in rows:
        table = Table("what", str(row["what"]))
        for key, value in row.items():
            if key != "what":
                table.add_row(key, f"{value:.2f}" if isinstance(value, float) else str(value))
        Console().print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
