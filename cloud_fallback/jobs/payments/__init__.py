"""Payments: events of a provider, which change the plan of an account."""
