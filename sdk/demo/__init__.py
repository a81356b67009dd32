"""A street that is drawn, so that what is in it is known: the product's first picture and its test.

`camera` projects, `canvas` and `sprites` draw what moves, `backdrop` what stands, `traffic` says
who comes by and `casting` who of them stays, `weather` how it looks, `scene` puts them together,
`source` feeds them to a counter.
"""
