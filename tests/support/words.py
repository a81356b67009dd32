"""Finds words that the project does not use: British spelling, metaphors and unidiomatic English.

    python -m tests.support.words [FILE or FOLDER]...

lists every finding as `file:line: word -> what to write instead`. Read are the prose of Markdown
pages, comments, docstrings and string literals of Python and C++, and identifiers (spelling only).
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tests.support.word_rules import ALLOWED, LITERALS, PROSE, SPELLING

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = (".md", ".py", ".h", ".cpp", ".yml", ".html")


@dataclass(frozen=True)
class Finding:
    """A word to replace."""

    path: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.found!r} -> {self.instead}"


def findings(path: Path) -> Iterator[Finding]:
    """The words to replace in one file."""
    name = path.relative_to(ROOT).as_posix()
    text = path.read_text(encoding="utf-8")
    pieces = _python(text) if path.suffix == ".py" else _MARKED.get(path.suffix, _cpp)(text)
    for line, kind, piece in pieces:
        words, lines = _unwrapped(piece, line)
        for rule in SPELLING if kind == "name" else PROSE:
            for match in rule.findings(words):
                found = match.group().strip()
                if found and not _is_allowed(name, found):
                    yield Finding(name, lines[match.start()], found[:60], rule.instead)


def _unwrapped(text: str, first_line: int) -> tuple[str, list[int]]:
    """The text with each paragraph on one line, and the line that every character came from."""
    words: list[str] = []
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), first_line):
        shown = " ".join(line.split())
        starts = not shown or shown[0] in "|-*#"
        joined = ("\n" if starts else " ") + shown
        words.append(joined)
        lines.extend([number] * len(joined))
    return "".join(words)[1:] + "\n", [*lines[1:], first_line]


def _is_allowed(name: str, found: str) -> bool:
    return any(
        fnmatch(name, allowance.files) and re.fullmatch(allowance.words, found, re.IGNORECASE)
        for allowance in ALLOWED
    )


Piece = tuple[int, str, str]


def _markdown(text: str) -> Iterator[Piece]:
    """Prose without code: fenced and indented blocks, spans and addresses are blanked."""
    text = re.sub(r"^```.*?^```", _blank, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^ {4}.*$", _blank, text, flags=re.MULTILINE)
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|<[^>\n]*>", _blank, text)
    yield 1, "prose", text


def _whole(text: str) -> Iterator[Piece]:
    yield 1, "prose", text


def _cpp(text: str) -> Iterator[Piece]:
    """Comments and strings as prose, the rest as names."""
    comment = re.compile(r"(?://[^\n]*\n[ \t]*)+|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
    end = 0
    for match in comment.finditer(text):
        yield _line_of(text, end), "name", text[end : match.start()]
        piece = re.sub(r"//", "  ", match.group())
        yield _line_of(text, match.start()), "prose", _without_spans(piece)
        end = match.end()
    yield _line_of(text, end), "name", text[end:]


def _python(text: str) -> Iterator[Piece]:
    """Comments, docstrings and strings with a space as prose; names and other strings as names."""
    comments: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and "noqa" not in token.string:
            line, words = token.start[0], token.string.lstrip("#")
            if comments and comments[-1][0] + comments[-1][1].count("\n") == line - 1:
                comments[-1] = (comments[-1][0], f"{comments[-1][1]}\n{words}")
            else:
                comments.append((line, words))
        elif token.type == tokenize.NAME:
            yield token.start[0], "name", token.string
    for line, comment in comments:
        yield line, "prose", _without_spans(comment)
    parts: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            constants = [part for part in node.values if isinstance(part, ast.Constant)]
            parts |= {id(part) for part in constants}
            words = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
            yield node.lineno, "prose", _without_spans(words)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value in LITERALS or id(node) in parts:
                continue
            kind = "prose" if " " in node.value.strip() else "name"
            yield node.lineno, kind, _without_spans(node.value)


_MARKED = {".md": _markdown, ".yml": _whole, ".html": _whole}


def _without_spans(text: str) -> str:
    return re.sub(r"`[^`\n]*`", _blank, text)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"\S", "_", match.group())


def _line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def files_of(area: str) -> list[Path]:
    """The files of a file or folder that are read."""
    path = ROOT / area
    if path.is_file():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix in SUFFIXES and not {"__pycache__", "build", ".build"} & {*file.parts}
    )


def product_paths() -> list[Path]:
    """Files and folders of the repository, without caches, builds and virtual environments."""
    return [
        path
        for path in sorted(ROOT.iterdir())
        if (path.name == ".github" or not path.name.startswith("."))
        and (path.is_dir() or path.suffix in SUFFIXES)
        and path.name not in {"build", "dist", "site"}
        and path.suffix != ".egg-info"
        and not (path / "pyvenv.cfg").exists()
    ]


def main(areas: list[str]) -> int:
    """List the findings of some files and folders."""
    shown = 0
    for area in areas:
        for file in files_of(area):
            for finding in findings(file):
                print(finding)
                shown += 1
    print(f"{shown} to replace")
    return min(shown, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
