"""Revisions of the tables, applied by alembic."""
