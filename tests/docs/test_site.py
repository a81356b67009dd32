"""The reference pages hold all that they are generated from."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

import tallylens
import tallylens.cli
from tallylens.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
HEADERS = ROOT / "edge_runtime" / "core" / "include"


@pytest.fixture(scope="module")
def hooks() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "scripts" / "site_hooks.py"))


def page(hooks: dict[str, Any], name: str) -> str:
    text = (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
    filled = str(hooks["on_page_markdown"](text))
    assert "<!-- reference" in text
    assert "<!-- reference" not in filled
    return filled


def test_every_command_and_option_is_there(
    hooks: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    text = page(hooks, "cli")
    for command in COMMANDS:
        _, _, section = text.partition(f"## tallylens {command.NAME}\n")
        with pytest.raises(SystemExit):
            tallylens.cli.main([command.NAME, "--help"])
        for option in re.findall(
            r"^  (?:-\w, )?(--[a-z0-9-]+)", capsys.readouterr().out, re.MULTILINE
        ):
            assert re.search(rf"`(?:-\w, )?(?:--\w+, )*{option}\b", section), (command.NAME, option)


def test_every_public_name_is_there(hooks: dict[str, Any]) -> None:
    text = page(hooks, "python")
    for name in set(tallylens.__all__) - {"__version__"}:
        assert re.search(rf"^::: tallylens\..*\b{name}$", text, re.MULTILINE), name


def test_every_function_of_the_header_is_there(hooks: dict[str, Any]) -> None:
    text = page(hooks, "c")
    declared = "".join(one.read_text(encoding="utf-8") for one in sorted(HEADERS.glob("*.h")))
    functions = set(re.findall(r"\btally_\w+(?=\()", declared))
    assert len(functions) > 90
    assert all(f"{name}(" in text for name in functions)


def test_every_route_is_there(hooks: dict[str, Any]) -> None:
    from tallylens.cloud_fallback.jobs.routes import ROUTERS

    text = page(hooks, "api")
    routes = [route for router in ROUTERS for route in router.routes]
    assert len(routes) > 20
    for route in routes:
        assert isinstance(route, APIRoute)
        section = text.partition(f"## {route.path}\n")[2].partition("\n## ")[0]
        assert all(f"**{method}**" in section for method in route.methods or ()), route.path


def test_every_interface_is_a_plug_in_point() -> None:
    text = (ROOT / "docs" / "plug-in-points.md").read_text(encoding="utf-8")
    found = 0
    for folder in ("sdk", "edge_runtime", "converters", "cloud_fallback"):
        for file in (ROOT / folder).rglob("*.py"):
            module = ".".join(["tallylens", *file.relative_to(ROOT).with_suffix("").parts])
            for name in re.findall(r"^class (\w+)\(Protocol\):", file.read_text("utf-8"), re.M):
                found += 1
                assert f"`{name}`" in text
                assert f"::: {module.replace('.sdk.', '.')}.{name}\n" in text
    assert found > 10
