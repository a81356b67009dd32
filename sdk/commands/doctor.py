"""`tallylens doctor`: what this machine has and lacks."""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tallylens.commands.arguments import add_json, print_json

NAME = "doctor"
HELP = "Show what is installed, what is missing and how to get it."
EXAMPLES = """examples:
  tallylens doctor"""

BASE = ("numpy", "opencv-python", "ai-edge-litert")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    document = _examine()
    if options.json:
        print_json(document)
        return 0
    print(f"tallylens {document['tallylens']}, Python {document['python']}, {document['system']}")
    print(f"cores     {document['cores']}")
    for engine in document["engines"]:
        state = engine["version"] or "not installed"
        shown = f"engine    {engine['package']} {state} {' '.join(engine['providers'])}"
        print(shown.rstrip())
    for name, found in document["packages"].items():
        print(f"package   {name} {found or 'not installed'}")
    cache = document["cache"]
    print(f"cache     {cache['path']} ({'can' if cache['writable'] else 'cannot'} be written)")
    for remedy in document["remedies"]:
        print(f"fix       {remedy}")
    return 0


def _examine() -> dict[str, Any]:
    from tallylens import store
    from tallylens.edge_runtime.engines import available_engines
    from tallylens.edge_runtime.version import __version__
    from tallylens.extras import CONVERT_MODULES, missing

    home = store.home()
    writable = _writable(home)
    remedies = []
    if missing(CONVERT_MODULES):
        remedies.append("pip install 'tallylens[convert]' brings the converters")
    if not writable:
        remedies.append(f"set {store.HOME_VARIABLE} to a folder that can be written")
    return {
        "tallylens": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "engines": [
            {
                "name": one.name,
                "package": one.package,
                "version": one.version,
                "providers": list(one.providers),
            }
            for one in available_engines()
        ],
        "packages": {name: _installed(name) for name in (*BASE, *CONVERT_MODULES.values())},
        "cache": {"path": str(home), "writable": writable},
        "remedies": remedies,
    }


def _installed(package: str) -> str | None:
    # TensorFlow's CPU build installs the same module under another name.
    for name in (package, f"{package}-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _writable(folder: Path) -> bool:
    """Whether the folder, or the first parent that exists, can be written to."""
    existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    return os.access(existing, os.W_OK)
