"""The commands, each a module with NAME, HELP, EXAMPLES, add_arguments and run.

They import what they need when they run: `tallylens --help` loads nothing heavy.
"""

from tallylens.commands import (
    benchmark,
    convert,
    count,
    doctor,
    evaluate,
    inspect,
    models,
    serve,
    verify,
)

COMMANDS = (count, convert, inspect, evaluate, verify, benchmark, models, serve, doctor)
