"""One module per file of vectors; `text` of each is what the file holds."""
