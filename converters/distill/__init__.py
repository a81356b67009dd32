"""Recovery of a compressed detector by label-free distillation from the original.

`student` is a graph as a trainable TensorFlow function, `augment` makes batches from the images
of a folder, `loss` is the distillation loss, `training` takes steps and keeps their state,
`training_state` writes it to a file, and `recover` runs all of it.
"""
