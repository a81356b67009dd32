"""The commands of the command line: modules with NAME, HELP, EXAMPLES, add_arguments and run.

Each imports what it needs inside `run`, so that `tallylens --help` loads nothing heavy.
"""

from tallylens.commands import (
    benchmark,
    convert,
    cost,
    count,
    demo,
    doctor,
    evaluate,
    inspect,
    models,
    pick,
    serve,
    verify,
    worker,
)

COMMANDS = (
    demo,
    count,
    pick,
    convert,
    inspect,
    evaluate,
    verify,
    benchmark,
    models,
    serve,
    cost,
    worker,
    doctor,
)
