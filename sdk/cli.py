"""The command line: parses arguments, runs a command, and reports errors and exit statuses."""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn, cast

from tallylens.commands import COMMANDS, official_commands
from tallylens.commands.official_options import joined_sizes, remedy
from tallylens.edge_runtime.errors import (
    InputError,
    MissingExtraError,
    TallyLensError,
    TallyLensWarning,
)
from tallylens.edge_runtime.text import printable
from tallylens.edge_runtime.version import __version__
from tallylens.exit_status import DONE, INTERRUPTED, USAGE
from tallylens.interruption import Interrupted

MAX_MESSAGE = 1000
MAX_CAUSES = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status, listed in docs/reference/errors.md."""
    _make_streams_usable()
    given = sys.argv[1:] if arguments is None else arguments
    instead = official_commands.answer(given)
    if instead is not None:
        print(f"tallylens: {_one_line(instead)}", file=sys.stderr)
        return USAGE
    options = _parsed(joined_sizes(given))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", TallyLensWarning)
            warnings.showwarning = _note
            status = options.run(options)
        sys.stdout.flush()
        return int(status)
    except BrokenPipeError:
        # The reading program has ended; Python would report that once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (Exception, KeyboardInterrupt) as error:
        if options.debug:
            raise
        status, message = _explain(error)
        _drop_unwritten()
        print(f"tallylens: {_one_line(message)}", file=sys.stderr)
        return status


def _drop_unwritten() -> None:
    """Drop what standard output does not take: Python would fail on it once more at exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _note(message: Warning | str, category: type[Warning], *location: object, **_: object) -> None:
    """Show a warning; those of tallylens on one line, without the position in the source code."""
    if issubclass(category, TallyLensWarning):
        print(f"tallylens: {_one_line(str(message))}", file=sys.stderr)
    else:
        file, line = location[:2]
        sys.stderr.write(warnings.formatwarning(message, category, str(file), int(str(line))))


def _explain(error: BaseException) -> tuple[int, str]:
    """Exit status and message for an exception that ended a command."""
    error = _interrupted_import(error) or error
    if isinstance(error, TallyLensError):
        return error.exit_status, str(error)
    if isinstance(error, KeyboardInterrupt):
        if isinstance(error, Interrupted):
            return error.exit_status, "interrupted"
        return INTERRUPTED, "interrupted"
    if isinstance(error, OSError) and error.strerror:
        path = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        problem = f"{path}{error.strerror}. Check the path, its permissions and the free space."
        return InputError.exit_status, problem
    problem = f"unexpected {type(error).__name__}: {error}"
    return TallyLensError.exit_status, f"{problem}. Please report it with the output of --debug."


def _interrupted_import(error: BaseException) -> KeyboardInterrupt | None:
    """The Ctrl-C that made an import fail: compiled modules turn it into an ImportError."""
    cause = error.__cause__ or error.__context__ if isinstance(error, MissingExtraError) else error
    if not isinstance(cause, ImportError):
        return None
    for _ in range(MAX_CAUSES):
        if cause is None or isinstance(cause, KeyboardInterrupt):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _one_line(message: str) -> str:
    """`message` on one line of at most MAX_MESSAGE characters: it may hold long names."""
    shown = printable(message)
    if len(shown) <= MAX_MESSAGE:
        return shown
    return f"{shown[: MAX_MESSAGE // 2]} ... {shown[-MAX_MESSAGE // 2 :]}"


def _make_streams_usable() -> None:
    """Replace closed streams, and escape characters that a stream's encoding lacks.

    Otherwise either of them would end a count.
    """
    # Services may start without stdout or stderr; the next opened file would get its descriptor.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        advice = remedy(message, self._option_string_actions)
        end = "" if advice.endswith("?") else "."
        self.exit(USAGE, f"{self.prog}: {message}{advice}{end} See {self.prog} --help.\n")


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; a command says itself what it does not know, since it knows its options."""
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        _commands(parser)[options.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def _commands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """The parsers of the commands, by name."""
    (commands,) = (one for one in parser._actions if isinstance(one.choices, Mapping))
    return cast(Mapping[str, argparse.ArgumentParser], commands.choices)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tallylens",
        description="Count objects with YOLOv5 on the device that holds the camera.",
        epilog="Run `tallylens COMMAND --help` for the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"tallylens {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for command in COMMANDS:
        added = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.HELP,
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(added)
        added.add_argument("--debug", action="store_true", help="show tracebacks of errors")
        added.set_defaults(run=command.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
