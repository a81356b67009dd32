"""Entry point of `tallylens` and of `python -m tallylens`."""

import sys


def start() -> int:
    """Run the command line; Ctrl-C ends it without a traceback from the first import on."""
    try:
        from tallylens.cli import main

        return main()
    except KeyboardInterrupt:
        if "--debug" in sys.argv:
            raise
        if sys.stderr is not None:
            sys.stderr.write("tallylens: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(start())
