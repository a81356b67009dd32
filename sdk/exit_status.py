"""Exit statuses of the command line; those of errors are attributes of `errors`."""

DONE = 0
USAGE = 2
INTERRUPTED = 130
"""Ended by Ctrl-C; SIGTERM gives 143 and SIGHUP 129, which is 128 and the signal's number."""
READER_ENDED = 141
"""The reader of `--events -` ended before the count, as SIGPIPE would report it."""
