"""The command line: one file a command in `commands/`, errors and exit statuses here."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from tallylens.commands import COMMANDS
from tallylens.edge_runtime.errors import TallyLensError
from tallylens.edge_runtime.version import __version__

DONE = 0
USAGE = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status of the contract in docs/architecture.md."""
    options = _parser().parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
        return int(status)
    except TallyLensError as error:
        if options.debug:
            raise
        print(f"tallylens: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        if options.debug:
            raise
        print("tallylens: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}. See {self.prog} --help.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tallylens",
        description="Count objects with YOLOv5 on the device that holds the camera.",
        epilog="tallylens COMMAND --help tells more of each.",
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
