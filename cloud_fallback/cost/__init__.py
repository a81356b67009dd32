"""The cost of the video service: prices with their sources, formulas, and the cheapest way."""
