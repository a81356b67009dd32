"""The texts of the e-mails."""

from __future__ import annotations

from .mailer import Mail

ENDING = "\n\nIf you did not ask for this, do nothing."


def verification(email: str, url: str, token: str) -> Mail:
    """The link that verifies an address."""
    text = f"Open this link within an hour to finish registering:\n\n{url}/verify?token={token}"
    return Mail(email, "Verify your e-mail address", text + ENDING)


def known_already(email: str, url: str) -> Mail:
    """Somebody registered an address that has an account."""
    text = (
        "Somebody registered this address, which has an account already. Sign in with it, or ask "
        f"for a new password:\n\n{url}/account"
    )
    return Mail(email, "You have an account already", text + ENDING)


def reset(email: str, url: str, token: str) -> Mail:
    """The link for a new password."""
    text = f"Open this link within an hour to set a new password:\n\n{url}/reset?token={token}"
    return Mail(email, "Set a new password", text + ENDING)
