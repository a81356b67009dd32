"""Webhooks: events of jobs, signed and delivered to the addresses of an account."""
