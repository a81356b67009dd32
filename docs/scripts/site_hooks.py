"""Fills the reference pages of the documentation from the code, whenever the site is built.

A page that holds `<!-- reference: NAME -->` gets the text of that name: `cli` from the argument
parsers, `python` from `tallylens.__all__`, `c` from `tally.h` and what it includes, `api` from the
OpenAPI document.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from inspect import isfunction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "edge_runtime" / "core" / "include" / "tally.h"
MARK = re.compile(r"^<!-- reference: (\w+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page before it is rendered."""
    return MARK.sub(lambda mark: REFERENCES[mark[1]](), markdown)


def command_line() -> str:
    """A section per command: its purpose, options and examples."""
    from tallylens.cli import _parser

    return "\n".join(_section(name, parser) for name, parser in _commands(_parser()))


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands of a parser and, behind each, its own."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield f"{parser.prog} {name}", command
                yield from _commands(command)


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    lines = [f"## {name}", "", parser.description or "", "", "```text"]
    lines += [" ".join(parser.format_usage().split()), "```", ""]
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
        actions = [one for one in actions if not isinstance(one, argparse._SubParsersAction)]
        if not actions:
            continue
        lines += [f"**{group.title}**", "", "| argument | meaning |", "| --- | --- |"]
        lines += [f"| {_names(action)} | {_meaning(action)} |" for action in actions]
        lines.append("")
    if parser.epilog:
        lines += ["```text", parser.epilog, "```", ""]
    return "\n".join(lines)


def _names(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else None
    value = metavar or ("" if action.choices is None else "|".join(map(str, action.choices)))
    if not action.option_strings:
        return f"`{value or action.dest}`"
    if action.nargs == 0:
        value = ""
    names = ", ".join(action.option_strings)
    return f"`{names} {value or action.dest.upper()}`" if action.nargs != 0 else f"`{names}`"


def _meaning(action: argparse.Action) -> str:
    text = (action.help or "").replace("%%", "%").replace("%(default)s", str(action.default))
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;")


def python_names() -> str:
    """A mkdocstrings block per public name: classes and functions, types, errors."""
    import tallylens

    blocks: dict[str, list[str]] = {"Classes and functions": [], "Types": [], "Errors": []}
    modules: dict[str, str] = vars(tallylens)["_MODULE_OF"]
    for name, module in sorted(modules.items()):
        value = getattr(tallylens, name)
        if isinstance(value, type) and issubclass(value, Exception):
            group = "Errors"
        else:
            is_alias = not isinstance(value, type) and not isfunction(value)
            group = "Types" if is_alias else "Classes and functions"
        blocks[group].append(f"::: tallylens.{module}.{name}\n")
    return "\n".join(f"## {title}\n\n" + "\n".join(block) for title, block in blocks.items())


def c_header() -> str:
    """The opening comment of tally.h, then the declarations of what it includes, by section."""
    text = HEADER.read_text(encoding="utf-8")
    names = re.findall(r'^#include "(.+)"$', text, re.MULTILINE)
    text += "".join(HEADER.with_name(name).read_text(encoding="utf-8") for name in names)
    # A heading may go straight into a comment; that one is opened again.
    text = re.sub(r"^(/\* -{3,} .+? -+)$", r"\1 */\n/*", text, flags=re.MULTILINE)
    parts = re.split(r"^/\* -{3,} (.+?) -+ \*/$", text, flags=re.MULTILINE)
    opening, sections = parts[0], parts[1:]
    lines = ["## Rules and types", "", "```c", opening.strip(), "```", ""]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        body = re.split(r"^#ifdef __cplusplus", body, flags=re.MULTILINE)[0]
        lines += [f"## {title[0].upper()}{title[1:]}", "", "```c", body.strip(), "```", ""]
    return "\n".join(lines)


def http_interface() -> str:
    """A section per path of the OpenAPI document of uploaded videos."""
    from fastapi import FastAPI

    from tallylens.cloud_fallback.jobs.routes import ROUTERS

    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    paths = app.openapi()["paths"]
    return "\n".join(_path_section(path, operations) for path, operations in paths.items())


def _path_section(path: str, operations: dict[str, Any]) -> str:
    lines = [f"## {path}", ""]
    for method, operation in operations.items():
        statuses = ", ".join(one for one in operation["responses"] if one < "400")
        text = " ".join(operation.get("description", "").split())
        lines += [f"**{method.upper()}** ({statuses}): {text}", ""]
        given = [one for one in operation.get("parameters", ()) if one["in"] != "path"]
        lines += [_parameter(one) for one in given]
        lines += [""] if given else []
    return "\n".join(lines)


def _parameter(one: dict[str, Any]) -> str:
    schema = one.get("schema", {})
    default = f", default {schema['default']}" if schema.get("default") not in (None, "") else ""
    text = one.get("description") or schema.get("description") or ""
    return f"- `{one['name']}` ({one['in']}{default}){': ' if text else ''}{text}"


REFERENCES: dict[str, Callable[[], str]] = {
    "cli": command_line,
    "python": python_names,
    "c": c_header,
    "api": http_interface,
}
