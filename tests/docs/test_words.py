"""Prose, messages and names keep to the words of tests/support/word_rules.py.

`python -m tests.support.words FOLDER` lists what a folder has to replace.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tallylens.cli import main
from tallylens.commands import COMMANDS
from tests.support.word_rules import ALLOWED, PROSE
from tests.support.words import ROOT, files_of, findings, product_paths

# Every file and folder of the repository, and those of edge_runtime one by one.
AREAS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*product_paths(), *(ROOT / "edge_runtime").iterdir()]
    if path.name != "edge_runtime" and files_of(path.relative_to(ROOT).as_posix())
)


@pytest.mark.parametrize("area", AREAS)
def test_the_words_are_ours(area: str) -> None:
    found = [str(finding) for file in files_of(area) for finding in findings(file)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("command", [command.NAME for command in COMMANDS])
def test_the_help_keeps_to_them(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert not [match.group() for rule in PROSE for match in rule.findings(text)]


def test_all_areas_are_found() -> None:
    assert {".github", "README.md", "converters", "docs", "edge_runtime/core", "sdk"} <= set(AREAS)


def test_an_allowance_has_its_files() -> None:
    for allowance in ALLOWED:
        assert list(ROOT.glob(allowance.files)), allowance


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.md", "A picture; `the picture`.\n\n    a picture\n", ["picture"]),
        ("a.md", "There is no network. What now? At least one. In place of it.", []),
        ("a.md", "Who comes back waits first.", ["Who comes back waits first."]),
        ("a.md", "24 frames a second", ["frames a second"]),
        ("a.py", '"""A house."""\ncolour = 1  # begin anew\n', ["anew", "colour", "house"]),
        ("a.py", 'keys = ["colour_order", "bottom-centre"]\n', []),
        ("a.py", 'print(f"{name} is no class")\n', ["is no"]),
        ("a.py", "# one bar a\n# row\n", ["bar a row"]),
        ("a.h", 'int centre;  // it goes on\nf("a place");\n', ["centre", "goes on", "place"]),
    ],
)  # fmt: skip
def test_the_reader_finds_them(
    name: str, text: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.words.ROOT", tmp_path)
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert sorted(one.found for one in findings(tmp_path / name)) == sorted(words)
