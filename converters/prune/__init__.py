"""Structured pruning without labels or training: whole channels go, what is left is re-fitted.

`channels` finds which channels live and die together, `cost` counts multiply-adds, `moments`
gathers what each convolution sees, `selection` orders channels by what their loss costs,
`sensitivity` measures that at the heads, `allocation` decides how much each group gives,
`surgery` cuts, `refit` repairs, and `prune` reads like the list of these.
"""
