"""Scenes with known truth. Each case names the fault of other counters that it stands for."""
