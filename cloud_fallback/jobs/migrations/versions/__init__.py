"""One module for each revision, from the oldest on."""
