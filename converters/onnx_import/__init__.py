"""ONNX files, as the official exporter and tallylens write them, into the one graph.

`onnx_file` parses and bounds the file, `constant_folding` evaluates what is constant, `heads` finds
where the raw head outputs end and the decode tail begins, `rebuild` rebuilds the operators before
them, `labels` reads class names, `importer` puts them together.
"""
