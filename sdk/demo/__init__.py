"""A street that is drawn, so that what is in it is known: the product's first picture and its test.

`camera` projects, `canvas` and `sprites` draw what moves, `backdrop` what stands, `actors` says who
goes where, `weather` how it looks, `scene` puts them together, `source` feeds them to a counter.
"""
