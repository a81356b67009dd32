"""Recovery of a compressed detector by label-free distillation from the original.

`student` is a graph as a trainable TensorFlow function, `augment` makes endless pictures of a
folder, `loss` says how far the student is, `training` takes steps and keeps their state,
`checkpoint` writes it, and `recover` reads like the list of these.
"""
