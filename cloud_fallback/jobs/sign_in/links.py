"""Links in e-mails: signed, valid for an hour, and once."""

from __future__ import annotations

from typing import Literal

from itsdangerous import BadData, URLSafeTimedSerializer

from ..problems import ProblemError

LIFE_S = 3600
MAX_TOKEN = 400
Purpose = Literal["verify", "reset"]


class Links:
    """Signs what a link says and reads it again.

    A link is bound to a text of the account that its use changes, so that it works once.

    Args:
        secret: signs; all processes of the service have the same.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token(self, purpose: Purpose, account: str, bound_to: str) -> str:
        """The token of a link."""
        text: str | bytes = self._signer(purpose).dumps([account, bound_to])
        return text if isinstance(text, str) else text.decode()

    def read(self, purpose: Purpose, token: str) -> tuple[str, str]:
        """The account of a token, and the text that it is bound to.

        Raises:
            ProblemError: 422 for one that is not ours, or too old.
        """
        try:
            if len(token) > MAX_TOKEN:
                raise BadData("too long")
            account, bound_to = self._signer(purpose).loads(token, max_age=LIFE_S)
        except (BadData, ValueError, TypeError) as error:
            raise used_link() from error
        return str(account), str(bound_to)

    def _signer(self, purpose: Purpose) -> URLSafeTimedSerializer:
        import hashlib

        return URLSafeTimedSerializer(
            self._secret,
            salt=f"tallylens-{purpose}",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )


def used_link() -> ProblemError:
    """The problem of a link that is not valid any more."""
    return ProblemError(
        422,
        "the link is not valid, was used, or is older than an hour",
        "Sign in; to get another link, register again or ask for a new password",
    )
