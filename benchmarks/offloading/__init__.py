"""The parts of benchmarks/offload.py."""
