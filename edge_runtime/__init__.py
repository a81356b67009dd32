"""The base layer that runs on devices: engines, sources, detection, counting and reports.

It depends on no converter, no network service and no command line.
"""
