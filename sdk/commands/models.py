"""`tallylens models`: list, download and locate models of the model store."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tallylens.commands.arguments import add_json, print_json

if TYPE_CHECKING:
    from tallylens.store import StoredModel

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

    models = store.list_models()
    if options.json:
        print_json({"models": [_row(model) for model in models]})
        return 0
    for model in models:
        print(f"{model.name}  {model.size / 1e6:.1f} MB  {model.license}  {_where(model)}")
    return 0


def _row(model: StoredModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "here": model.present,
        "path": str(model.path),
        "size_bytes": model.size,
        "licence": model.license,
        "built_in": model.built_in,
    }


def _where(model: StoredModel) -> str:
    if model.built_in:
        return "built in"
    if model.present:
        return str(model.path)
    return f"not downloaded; tallylens models pull {model.name}"


def _pull(options: argparse.Namespace) -> int:
    from tallylens import store
    from tallylens.terminal.progress import Progress

    with Progress(f"downloading {options.name}", unit="bytes") as progress:
        path = store.pull(options.name, progress.update)
    model = store.find_model(options.name)
    if options.json:
        print_json({"name": options.name, "path": str(path), "licence": model.license})
    else:
        print(f"{path}  (license of the weights: {model.license})")
    return 0


def _path(options: argparse.Namespace) -> int:
    from tallylens import store

    path = store.model_path(options.name)
    if options.json:
        print_json({"name": options.name, "path": str(path), "here": path.is_file()})
    else:
        print(path)
    return 0
