"""Files, tests and commands that pages for contributors name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.words import ROOT, product_paths

PAGES = [
    *("CONTRIBUTING.md", "README.md", "SECURITY.md", "docs/architecture.md"),
    *sorted(page.relative_to(ROOT).as_posix() for page in ROOT.glob("docs/how-to-add/*.md")),
]
# The files that the examples of how-to pages would add.
EXAMPLES = {"edge_runtime/core/src/spot_region.cpp"}
CODE = {
    path.relative_to(ROOT).as_posix(): path
    for start in [*product_paths(), ROOT / "setup.cfg"]
    for path in ([start] if start.is_file() else start.rglob("*"))
    if path.suffix in {".py", ".cpp", ".h", ".md", ".cfg", ".sh", ".json"}
}


def spans(page: str) -> list[str]:
    """The code spans of a page."""
    return re.findall(r"`([^`\n]+)`", (ROOT / page).read_text(encoding="utf-8"))


def found(name: str) -> list[Path]:
    """The files that a name stands for: a path, or the end of one."""
    return [path for key, path in CODE.items() if key == name or key.endswith(f"/{name}")]


@pytest.mark.parametrize("page", PAGES)
def test_files_exist(page: str) -> None:
    for span in spans(page):
        match = re.fullmatch(r"([\w./-]+\.(?:py|cpp|h|md|cfg|sh))(?:::(\w+))?", span)
        if match is None or "NAME" in span or match[1] in EXAMPLES:
            continue
        files = found(match[1])
        assert files, span
        if match[2]:
            assert any(f"def {match[2]}(" in path.read_text(encoding="utf-8") for path in files), (
                span
            )


@pytest.mark.parametrize("page", PAGES)
def test_tests_and_folders_exist(page: str) -> None:
    tests = "".join(
        path.read_text(encoding="utf-8") for key, path in CODE.items() if "/test_" in key
    )
    for span in spans(page):
        if re.fullmatch(r"test_\w+", span):
            assert f"def {span}(" in tests, span
        if re.fullmatch(r"(?:[a-z_]+/)+", span):
            exists = (ROOT / span).is_dir() or any(f"/{span}" in f"/{key}" for key in CODE)
            assert exists, span


@pytest.mark.parametrize("page", PAGES)
def test_make_has_the_targets(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for span in spans(page):
        for target in re.findall(r"^make ([a-z]+)", span):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_pages_are_found() -> None:
    assert len(PAGES) > 10
    assert "make setup" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
