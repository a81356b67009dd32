"""Reports: files, HTML pages and annotated videos of a count."""
