"""ONNX files, as the official exporter and tallylens write them, into the one graph.

`source` parses and bounds the file, `known` evaluates what is constant, `heads` finds where the
raw heads end and the decode tail begins, `backbone` rebuilds what lies before them, `labels`
reads names, `importer` puts them together.
"""
