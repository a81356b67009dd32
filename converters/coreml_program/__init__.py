"""Core ML packages off a Mac: read back what was saved, and run it op by op.

`package` reads the files, `weights` the weight file, `program` the message into plain ops, `ops`
says what each op computes, `engine` runs a model like any other engine.
"""
