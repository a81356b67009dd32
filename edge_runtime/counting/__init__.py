"""What a `Counter` is made of: engines and pace, totals, events, and what is kept between runs."""
