"""The one setting that setup.cfg cannot hold: setuptools reads cffi_modules from code only."""

from setuptools import setup

setup(cffi_modules=["edge_runtime/core/build_ffi.py:ffibuilder"])
