"""Structured channel pruning without labels or training: remove channels, re-fit the rest.

`channels` finds which channels must be kept or removed together, `cost` counts MACs, `moments`
samples the inputs of each convolution, `selection` orders channels by the error of their removal,
`sensitivity` measures that error at the heads, `allocation` decides how many channels each group
loses, `channel_removal` removes them, `refit` fits the remaining weights, `prune` runs all of it.
"""
