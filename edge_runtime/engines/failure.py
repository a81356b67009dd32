"""Errors of inference runtimes as ModelError."""

from __future__ import annotations

from ..errors import ModelError

MAX_REASON = 200


def runtime_failure(path: str, what: str, error: Exception) -> ModelError:
    """The ModelError for an exception of a runtime; its first line becomes the reason."""
    reason = (str(error).strip() or type(error).__name__).split("\n")[0][:MAX_REASON]
    return ModelError(path, f"{what} ({reason})", "Convert the original checkpoint again")
