"""Entry point of `python -m tallylens`."""

import sys

from tallylens.cli import main

sys.exit(main())
