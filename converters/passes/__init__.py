"""Graph passes: objects with a `name` and a call, one in each file.

A pass takes a `DetectorGraph`, changes its model in place, and returns it with the pass recorded
in its metadata if it changed something.
"""
