"""The public API of tallylens: its type stub, its dump, and the names that its signatures mention.

`python -m tests.support.public_api` rewrites sdk/__init__.pyi and tests/sdk/public_api.txt.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc
import dataclasses
import importlib
import inspect
import os
import pathlib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tallylens

ROOT = Path(__file__).parents[2]
STUB = ROOT / "sdk" / "__init__.pyi"
DUMP = ROOT / "tests" / "sdk" / "public_api.txt"
WIDTH = 100
FOREIGN = (builtins, collections.abc, os, pathlib, types, typing)


def modules() -> dict[str, str]:
    """{public name: the module that defines it}, without `__version__`."""
    table: dict[str, str] = vars(tallylens)["_MODULE_OF"]
    return {name: f"tallylens.{module}" for name, module in table.items()}


def stub() -> str:
    """The content of sdk/__init__.pyi, by which type checkers know the public names."""
    origins = {**modules(), "__version__": "tallylens.edge_runtime.version"}
    imports = sorted((module.removeprefix("tallylens"), name) for name, module in origins.items())
    return "\n".join(
        [
            "# Written by `python -m tests.support.public_api` from the table in __init__.py.",
            "",
            *(f"from {module} import {name} as {name}" for module, name in imports),
            "",
            "__all__: list[str]",
            "",
        ]
    )


def dump() -> str:
    """Every public name with its signature, one per line; members are indented."""
    return "".join(f"{line}\n" for name in sorted(modules()) for line in _lines(name))


def _lines(name: str) -> Iterator[str]:
    value = getattr(tallylens, name)
    if not isinstance(value, type):
        yield f"type {name}" if not inspect.isfunction(value) else f"def {name}{_shown(value)}"
        return
    bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    defaults = {field.name: field.default for field in _dataclass_fields(value)}
    for field, annotation in _fields(value).items():
        default = defaults.get(field, dataclasses.MISSING)
        equals = "" if default is dataclasses.MISSING else f" = {_default(default)!r}"
        yield f"    {field}: {annotation}{equals}"
    for member, function, kind in _members(value):
        yield f"    {kind}{member}{_shown(function)}"


def _dataclass_fields(value: type) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()


def _default(value: Any) -> Any:
    """A default value as it is shown: functions by their name."""
    return _Shown(value.__name__) if inspect.isfunction(value) else value


def _fields(value: type) -> dict[str, str]:
    """{name: annotation} of the public attributes that a class declares."""
    own = inspect.get_annotations(value)
    return {name: str(text) for name, text in own.items() if not name.startswith("_")}


def _members(value: type) -> Iterator[tuple[str, Any, str]]:
    """(name, function, what it is) of each public method and property that a class defines."""
    is_written = not dataclasses.is_dataclass(value) and not is_protocol(value)
    for name, member in sorted(vars(value).items()):
        if name in _fields(value):
            continue
        if name.startswith("_") and not (name == "__init__" and is_written):
            continue
        if isinstance(member, property):
            yield name, member.fget, "property "
        elif isinstance(member, classmethod | staticmethod):
            yield name, member.__func__, f"{type(member).__name__} "
        elif inspect.isfunction(member):
            yield name, member, "def "


def _shown(function: Any) -> str:
    """The signature with annotations as written; defaults that are functions by their name."""
    signature = inspect.signature(function)
    parameters = []
    for one in signature.parameters.values():
        if one.annotation is not one.empty:
            one = one.replace(annotation=_Shown(one.annotation))
        parameters.append(one.replace(default=_default(one.default)))
    shown = _Shown(signature.return_annotation)
    text = str(signature.replace(parameters=parameters, return_annotation=shown))
    if len(text) <= WIDTH:
        return text
    lines = [str(one) for one in parameters]
    by_name = sum(one.kind is one.KEYWORD_ONLY for one in parameters)
    if by_name:
        lines.insert(-by_name, "*")
    return "({}\n    ) -> {}".format("".join(f"\n        {one}," for one in lines), shown)


def is_protocol(value: type) -> bool:
    """Whether a class is a protocol, whose constructor is not part of it."""
    return bool(getattr(value, "_is_protocol", False))


class _Shown:
    """An annotation or default that `inspect` shows as this text."""

    def __init__(self, text: object) -> None:
        self._text = str(text)

    def __repr__(self) -> str:
        return self._text


def missing() -> dict[str, list[str]]:
    """{name that a public signature mentions but that is not public: where}."""
    found: dict[str, list[str]] = {}
    for name, module in modules().items():
        for place, annotation in _annotations(name):
            for mentioned in _mentioned(annotation):
                if not _is_known(mentioned, importlib.import_module(module)):
                    found.setdefault(mentioned, []).append(place)
    return found


def _annotations(name: str) -> Iterator[tuple[str, str]]:
    value = getattr(tallylens, name)
    if inspect.isfunction(value):
        yield from ((name, str(text)) for text in value.__annotations__.values())
    if not isinstance(value, type):
        return
    yield from ((f"{name}.{field}", text) for field, text in _fields(value).items())
    yield from ((name, base.__name__) for base in value.__bases__)
    for member, function, _ in _members(value):
        for text in function.__annotations__.values():
            yield f"{name}.{member}", str(text)


def _mentioned(annotation: str) -> set[str]:
    """The names in an annotation; of `np.ndarray` only `np`; none inside `Literal`."""
    tree = ast.parse(annotation, mode="eval")
    literal = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal"
        for inner in ast.walk(node.slice)
    }
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in literal
    }
    return names.union(*map(_mentioned, texts))


def _is_known(name: str, module: types.ModuleType) -> bool:
    if name in tallylens.__all__:
        return getattr(module, name, getattr(tallylens, name)) is getattr(tallylens, name)
    value = getattr(module, name, None)
    if isinstance(value, types.ModuleType):
        return True
    return any(name in vars(foreign) for foreign in FOREIGN)


def main() -> None:
    """Rewrite both files."""
    STUB.write_text(stub(), encoding="utf-8")
    importlib.reload(tallylens)
    DUMP.write_text(dump(), encoding="utf-8")


if __name__ == "__main__":
    main()
