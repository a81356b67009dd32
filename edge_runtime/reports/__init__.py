"""What a count or a conversion gave: as objects, text, files and pages."""
