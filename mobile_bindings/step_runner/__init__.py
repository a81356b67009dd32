"""Runs named steps and adds up their outcomes, for the checks of the bindings."""
