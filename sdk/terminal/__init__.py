"""Terminal output: the table of a report, and progress."""
