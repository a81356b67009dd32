"""Exit statuses of the command line; those of errors are attributes of `errors`."""

DONE = 0
USAGE = 2
INTERRUPTED = 130
