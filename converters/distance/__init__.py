"""Distance of a detector's head outputs from those of a reference.

`heads` measures it for heads of either kind, `distributions` has the arithmetic of heads without
anchors.
"""
