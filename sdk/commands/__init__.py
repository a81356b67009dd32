"""The commands, each a module with NAME, HELP, EXAMPLES, add_arguments and run.

They import what they need when they run: `tallylens --help` loads nothing heavy.
"""

from tallylens.commands import (
    benchmark,
    convert,
    count,
    demo,
    doctor,
    evaluate,
    inspect,
    models,
    serve,
    verify,
)

COMMANDS = (demo, count, convert, inspect, evaluate, verify, benchmark, models, serve, doctor)
