"""The synthetic street of `tallylens demo`: drawn frames with known boxes, tracks and counts.

`camera` projects; `canvas` and `sprites` draw moving objects, `backdrop` standing ones; `traffic`
proposes objects and `casting` selects among them; `weather` sets the looks; `scene` combines all of
it; `source` is the frame source for a counter.
"""
