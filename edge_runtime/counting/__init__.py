"""Counting: sessions, regions, totals, events, reports, and the saved count."""
