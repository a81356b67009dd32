"""Commands and code on the pages of docs/ run as they stand, after `tallylens demo`."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tallylens import TallyLensError
from tallylens.cli import _parser, main
from tallylens.commands import COMMANDS
from tallylens.edge_runtime import errors

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (
    "get-started",
    *(f"guides/{one}" for one in ("count", "pick", "convert", "evaluate", "troubleshoot")),
)
ALL_PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
# Of the whole demo only so much is drawn: pages need its files, not its length.
# These pages name options of tools and of ideas that were given up, too.
NOT_OURS = ("decisions",)
# Of scripts in benchmarks/, and of YOLOv5's export.py.
OTHERS = {"--pace", "--predict", "--int8"}
SHORT = ["--seconds", "5", "--fps", "10"]


def text_of(page: str) -> str:
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


def commands(page: str) -> list[list[str]]:
    text = text_of(page).replace("\\\n", "")
    return [shlex.split(line) for line in re.findall(r"^    tallylens (.+)$", text, re.MULTILINE)]


def snippets(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that `tallylens demo` leaves."""
    folder = tmp_path_factory.mktemp("demo") / "tallylens-demo"
    assert main(["demo", *SHORT, "-o", str(folder)]) == 0
    return folder


@pytest.fixture
def workplace(demo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(demo_folder, tmp_path / "tallylens-demo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TALLYLENS_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_run_in_their_order(
    page: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands(page)
    for command in commands(page):
        if command == ["demo"]:
            continue
        arguments = [*command, *SHORT] if command[0] == "demo" else command
        assert main(arguments) == 0, command
        captured = capsys.readouterr()
        assert captured.out, command
        assert "Traceback" not in captured.err


def test_pages_whose_commands_do_not_run_here_have_commands_that_are_accepted() -> None:
    """They need a server; `tests/cloud_fallback` and `tests/sdk/test_serve.py` start it."""
    others = [
        page.removesuffix(".md") for page in ALL_PAGES if page.removesuffix(".md") not in PAGES
    ]
    given = [page for page in others if commands(page)]
    assert given == ["guides/ios", "guides/offload", "guides/operate"]
    for page in given:
        for command in commands(page):
            assert _parser().parse_args(command).run, (page, command)


@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page)])
def test_the_python_runs(page: str, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for snippet in snippets(page):
        exec(snippet, names)
        assert capsys.readouterr().out, snippet


@pytest.mark.parametrize(
    "example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem
)
def test_the_examples_run(
    example: Path,
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the arguments of the command in the example's own opening words."""
    (line,) = re.findall(
        rf"^python examples/{example.name} (.+)$", example.read_text(), re.MULTILINE
    )
    monkeypatch.setattr(sys, "argv", [str(example), *shlex.split(line)])
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out


def test_every_error_has_its_row() -> None:
    tree = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, TallyLensError)
    ]
    rows = dict(
        re.findall(r"^\| `(\w+)` \| (\d+) \| .+ \| .+ \|$", text_of("reference/errors"), re.M)
    )
    assert rows == {error.__name__: str(error.exit_status) for error in tree}


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_lead_somewhere(page: str) -> None:
    file = DOCS / page
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8")):
        assert (file.parent / link).exists(), link


def test_the_decisions_are_listed() -> None:
    files = {path.name for path in (DOCS / "decisions").glob("[0-9]*.md")}
    assert set(re.findall(r"\]\(([0-9][^)]+)\)", text_of("decisions/index"))) == files
    for name in sorted(files):
        headings = re.findall(r"^## (.+)$", (DOCS / "decisions" / name).read_text("utf-8"), re.M)
        assert headings == ["Context", "Decision", "Measured", "When to revisit"], name


def test_every_option_that_a_page_names_exists(capsys: pytest.CaptureFixture[str]) -> None:
    helps = ""
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            main([command.NAME, "--help"])
        helps += capsys.readouterr().out
    pages = [path for path in DOCS.rglob("*.md") if path.parent.name not in NOT_OURS]
    named = 0
    for page in [*pages, ROOT / "README.md"]:
        for option in re.findall(r"`(--[a-z][a-z0-9-]+)", page.read_text(encoding="utf-8")):
            assert option in OTHERS or re.search(rf"{option}\b", helps), (page, option)
            named += 1
    assert named > 200
