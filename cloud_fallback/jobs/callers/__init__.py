"""Callers: the account of a request, by a key, a session or a cookie, and what it may do."""
