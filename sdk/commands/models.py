"""`tallylens models`: list, download and locate models of the model store."""

from __future__ import annotations

import argparse
from typing import Any

from tallylens.commands.arguments import add_json, print_json

NAME = "models"
HELP = "List, download and locate models of the model store."
EXAMPLES = """examples:
  tallylens models list
  tallylens models pull yolov5n
  tallylens models path yolov5n"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|pull|path")
    for name, help_text in (
        ("list", "list the known models, and which of them are on this machine"),
        ("pull", "download an official checkpoint"),
        ("path", "print the path that a model has in the store"),
    ):
        action = actions.add_parser(name, help=help_text)
        if name != "list":
            action.add_argument("name")
        add_json(action)
        # Absent unless given, so that it does not undo `tallylens models --debug list`.
        action.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help="show tracebacks of errors",
        )


def run(options: argparse.Namespace) -> int:
    return {"list": _list, "pull": _pull, "path": _path}[options.action](options)


def _list(options: argparse.Namespace) -> int:
    from tallylens import store

    rows: list[dict[str, Any]] = [
        {
            "name": release.name,
            "here": store.model_path(release.name).is_file(),
            "path": str(store.model_path(release.name)),
            "size_bytes": release.size,
            "licence": release.licence,
        }
        for release in store.RELEASES.values()
    ]
    if options.json:
        print_json({"models": rows})
        return 0
    for row in rows:
        state = row["path"] if row["here"] else f"not here; tallylens models pull {row['name']}"
        print(f"{row['name']}  {row['size_bytes'] / 1e6:.1f} MB  {row['licence']}  {state}")
    return 0


def _pull(options: argparse.Namespace) -> int:
    from tallylens import store
    from tallylens.terminal.progress import Progress

    with Progress(f"downloading {options.name}", unit="bytes") as progress:
        path = store.pull(options.name, progress.update)
    licence = store.RELEASES[options.name].licence
    if options.json:
        print_json({"name": options.name, "path": str(path), "licence": licence})
    else:
        print(f"{path}  (weights under {licence})")
    return 0


def _path(options: argparse.Namespace) -> int:
    from tallylens import store

    path = store.model_path(options.name)
    if options.json:
        print_json({"name": options.name, "path": str(path), "here": path.is_file()})
    else:
        print(path)
    return 0
