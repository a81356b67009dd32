"""The exit statuses of the command line; those of errors are with the errors."""

DONE = 0
USAGE = 2
INTERRUPTED = 130
