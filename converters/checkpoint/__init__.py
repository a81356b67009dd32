"""YOLOv5 `.pt` checkpoints, read without torch and without running anything they hold.

`archive` opens the zip, `pickle_machine` reads the pickle as data, `allowed` says which names it
may hold, `architecture` turns the module tree into a graph, `importer` puts them together.
"""
